//! A road to the provider's API that a test can watch and block.

use super::{Trouble, until};
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer};
use clerk_emulator::Emulator;
use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a blocked call may take to come.
const WITHIN: Duration = Duration::from_secs(20);

/// What does not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    Nothing,
    /// Requests with an effect, before they have any.
    Writes,
    /// Answers to requests that had their effect.
    WriteAnswers,
    /// Answers to questions about one user.
    Looks,
    /// Answers that hold a page of users.
    Pages,
    /// Requests for pages behind the first.
    LaterPages,
    /// The same, which are refused at once and not held up.
    LaterPagesRefused,
    /// Every request.
    Everything,
}

/// Passes requests on to an emulator.
pub struct Relay {
    pub url: String,
    road: Arc<Road>,
    handle: actix_web::dev::ServerHandle,
}

struct Road {
    target: String,
    client: reqwest::Client,
    /// What is blocked, and how often whoever is held up was let go.
    blocked: watch::Sender<(Blocked, usize)>,
    /// How many are held up now.
    held: watch::Sender<usize>,
    came: Mutex<Vec<Instant>>,
    /// What questions about users meet, one after the other.
    ahead: Mutex<VecDeque<Option<Trouble>>>,
}

impl Relay {
    pub fn to(emulator: &Emulator) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let road = Arc::new(Road {
            target: emulator.credentials().api_url.clone(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            blocked: watch::Sender::new((Blocked::Nothing, 0)),
            held: watch::Sender::new(0),
            came: Mutex::default(),
            ahead: Mutex::default(),
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

    /// Changes what does not get through; what was held up goes on.
    pub fn block(&self, blocked: Blocked) {
        self.road.blocked.send_modify(|now| now.0 = blocked);
    }

    /// Lets go who is held up now; whoever comes later is held up still.
    pub fn let_go(&self) {
        self.road.blocked.send_modify(|now| now.1 += 1);
    }

    /// Every second question about users meets one of these troubles, while there are any.
    pub fn meet(&self, troubles: impl IntoIterator<Item = Trouble>) {
        let ahead = troubles.into_iter().flat_map(|trouble| [Some(trouble), None]);
        self.road.ahead.lock().unwrap().extend(ahead);
    }

    /// How many troubles are left that nobody met.
    pub fn ahead(&self) -> usize {
        self.road.ahead.lock().unwrap().iter().flatten().count()
    }

    /// Waits until so many are held up.
    pub async fn until_held(&self, count: usize) {
        let mut held = self.road.held.subscribe();
        let reached = held.wait_for(|held| *held >= count);
        tokio::time::timeout(WITHIN, reached).await.expect("calls are held up").unwrap();
    }

    /// Waits until so many requests came.
    pub async fn until_came(&self, count: usize) {
        until("requests come", WITHIN, async || (self.came().len() >= count).then_some(())).await;
    }

    /// When each request came that the budget counts.
    pub fn came(&self) -> Vec<Instant> {
        self.road.came.lock().unwrap().clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.block(Blocked::Nothing);
        drop(self.handle.stop(false));
    }
}

impl Road {
    /// Waits for as long as `is_held` holds of what is blocked.
    async fn hold(&self, is_held: impl Fn(Blocked) -> bool) {
        let mut blocked = self.blocked.subscribe();
        let (what, turn) = *blocked.borrow();
        if !is_held(what) {
            return;
        }
        self.held.send_modify(|held| *held += 1);
        blocked.wait_for(|now| !is_held(now.0) || now.1 != turn).await.ok();
        self.held.send_modify(|held| *held -= 1);
    }
}

async fn pass(road: Data<Road>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let (writes, path) = (request.method() == "PATCH", request.path().to_owned());
    let asks = !writes && path.starts_with("/v1/users");
    let lists = asks && path == "/v1/users";
    let looks = asks && !lists && path != "/v1/users/count";
    let trouble = asks.then(|| road.ahead.lock().unwrap().pop_front()).flatten().flatten();
    if !path.ends_with("/jwks") {
        road.came.lock().unwrap().push(Instant::now());
    }
    let query = request.query_string();
    let is_later = lists && (query.contains("offset=") || query.contains("starting_after="));
    road.hold(|held| match held {
        Blocked::Everything => true,
        Blocked::Writes => writes,
        Blocked::LaterPages => is_later,
        _ => false,
    })
    .await;
    if is_later && road.blocked.borrow().0 == Blocked::LaterPagesRefused {
        return HttpResponse::Unauthorized().finish();
    }
    if let Some(answer) = trouble.and_then(Trouble::instead) {
        return answer;
    }
    let (mut response, body) = onward(&road.client, &road.target, &request, body).await;
    road.hold(|held| match held {
        Blocked::WriteAnswers => writes,
        Blocked::Looks => looks,
        Blocked::Pages => lists,
        _ => false,
    })
    .await;
    match trouble {
        Some(trouble) => trouble.on_the_way(response, body).await,
        None => response.body(body),
    }
}

/// Sends a request on to `target`, and returns the answer without its body, and that.
pub async fn onward(
    client: &reqwest::Client,
    target: &str,
    request: &HttpRequest,
    body: Bytes,
) -> (HttpResponseBuilder, Bytes) {
    let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).unwrap();
    let mut onward = client.request(method, format!("{target}{}", request.uri()));
    for name in ["authorization", "clerk-api-version", "content-type"] {
        if let Some(value) = request.headers().get(name) {
            onward = onward.header(name, value.as_bytes());
        }
    }
    let answer = onward.body(body).send().await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let mut response = HttpResponse::build(status);
    for name in ["content-type", "retry-after"] {
        if let Some(value) = answer.headers().get(name) {
            response.insert_header((name, value.as_bytes()));
        }
    }
    (response, answer.bytes().await.unwrap())
}
