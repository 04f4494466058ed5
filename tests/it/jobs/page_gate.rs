//! A road to the provider on which a test decides how many pages of the list come through, and
//! sees which were asked for.

use crate::support::{onward, until};
use actix_web::web::{self, Bytes, Data, Query};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use clerk_emulator::Emulator;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// How long a page may take to be asked for on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

/// A word of a user that nobody shall ever read, in a place where a number should be.
pub(super) const SPOILT: &str = "personal-word";

pub(super) struct Pages {
    pub(super) url: String,
    road: Arc<Road>,
    handle: actix_web::dev::ServerHandle,
}

struct Road {
    target: String,
    client: reqwest::Client,
    /// How many pages come through, in the order in which they were first asked for.
    open: watch::Sender<usize>,
    /// Behind whom a page was asked for, request by request.
    asked: Mutex<Vec<String>>,
    /// Users whom lists show as nobody can read them.
    spoilt: Mutex<Vec<String>>,
}

impl Pages {
    /// A road on which everything comes through.
    pub(super) fn of(emulator: &Emulator) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let road = Arc::new(Road {
            target: emulator.credentials().api_url.clone(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            open: watch::Sender::new(usize::MAX),
            asked: Mutex::default(),
            spoilt: Mutex::default(),
        });
        let shared = Data::from(Arc::clone(&road));
        let server = HttpServer::new(move || {
            App::new().app_data(shared.clone()).default_service(web::to(pass))
        });
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, road, handle }
    }

    /// Lets so many pages through; requests for others wait.
    pub(super) fn open(&self, count: usize) {
        self.road.open.send_replace(count);
    }

    /// Lets everything through.
    pub(super) fn open_all(&self) {
        self.open(usize::MAX);
    }

    /// Shows a user, in lists, as nobody can read it.
    pub(super) fn spoil(&self, external_id: &str) {
        self.road.spoilt.lock().unwrap().push(external_id.to_owned());
    }

    /// Behind whom pages were asked for, in the order of the requests.
    pub(super) fn asked(&self) -> Vec<String> {
        self.road.asked.lock().unwrap().clone()
    }

    /// How many pages were asked for once more.
    pub(super) fn repeated(&self) -> usize {
        let asked = self.asked();
        asked.len() - different(&asked).len()
    }

    /// Waits until so many different pages were asked for.
    pub(super) async fn until_asked(&self, count: usize) {
        until("pages are asked for", WITHIN, async || {
            (different(&self.asked()).len() >= count).then_some(())
        })
        .await;
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.open_all();
        drop(self.handle.stop(false));
    }
}

/// The same without repetitions, in order.
fn different(places: &[String]) -> Vec<&String> {
    let mut different: Vec<&String> = Vec::new();
    for place in places {
        if !different.contains(&place) {
            different.push(place);
        }
    }
    different
}

impl Road {
    /// Waits until a page may come through.
    async fn arrive(&self, place: &str) {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(place.to_owned());
            different(&asked).iter().position(|known| *known == place).unwrap()
        };
        let mut open = self.open.subscribe();
        open.wait_for(|open| number < *open).await.ok();
    }

    fn spoil(&self, body: &Bytes) -> Bytes {
        let spoilt = self.spoilt.lock().unwrap();
        if spoilt.is_empty() {
            return body.clone();
        }
        let mut users: Vec<Value> = serde_json::from_slice(body).unwrap();
        for user in &mut users {
            if spoilt.iter().any(|id| user["id"] == **id) {
                user["updated_at"] = json!(SPOILT);
            }
        }
        serde_json::to_vec(&users).unwrap().into()
    }
}

async fn pass(road: Data<Road>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let query = Query::<HashMap<String, String>>::from_query(request.query_string());
    let query = query.unwrap().into_inner();
    let is_list = request.path() == "/v1/users" && !query.contains_key("user_id");
    let place = query.get("starting_after").cloned().unwrap_or_default();
    if is_list {
        road.arrive(&place).await;
    }
    let (mut response, mut body) = onward(&road.client, &road.target, &request, body).await;
    // What is refused is an object and no list.
    if is_list && body.starts_with(b"[") {
        body = road.spoil(&body);
    }
    response.body(body)
}
