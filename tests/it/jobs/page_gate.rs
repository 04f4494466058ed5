//! A proxy to the provider with which a test decides how many pages of the list come through, and
//! sees which were asked for.

use crate::support::{Server, TestEmulator, Upstream, until_true};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// A word where a number should be, which must appear nowhere.
pub(super) const SPOILT: &str = "personal-word";

pub(super) struct PageGate {
    pub(super) url: String,
    state: Arc<GateState>,
    _server: Server,
}

struct GateState {
    upstream: Upstream,
    /// How many pages come through, in the order in which they were first asked for.
    open: watch::Sender<usize>,
    asked: Mutex<Vec<String>>,
    /// Users whom lists show so that they cannot be read.
    spoilt: Mutex<Vec<String>>,
}

impl PageGate {
    pub(super) fn of(emulator: &TestEmulator) -> Self {
        let state = Arc::new(GateState {
            upstream: Upstream::of(emulator),
            open: watch::Sender::new(usize::MAX),
            asked: Mutex::default(),
            spoilt: Mutex::default(),
        });
        let (url, server) = Server::start(&state, pass);
        Self { url, state, _server: server }
    }

    pub(super) fn open(&self, count: usize) {
        self.state.open.send_replace(count);
    }

    pub(super) fn open_all(&self) {
        self.open(usize::MAX);
    }

    /// Shows a user, in lists, so that it cannot be read.
    pub(super) fn spoil(&self, external_id: &str) {
        self.state.spoilt.lock().unwrap().push(external_id.to_owned());
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }

    pub(super) fn repeated(&self) -> usize {
        let asked = self.asked();
        asked.len() - different(&asked).len()
    }

    pub(super) async fn until_asked(&self, count: usize) {
        until_true("pages are asked for", async || different(&self.asked()).len() >= count).await;
    }
}

impl Drop for PageGate {
    fn drop(&mut self) {
        self.open_all();
    }
}

fn different(places: &[String]) -> Vec<&String> {
    let mut different: Vec<&String> = Vec::new();
    for place in places {
        if !different.contains(&place) {
            different.push(place);
        }
    }
    different
}

impl GateState {
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

async fn pass(state: Data<GateState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let query = Query::<HashMap<String, String>>::from_query(request.query_string());
    let query = query.unwrap().into_inner();
    let is_list = request.path() == "/v1/users" && !query.contains_key("user_id");
    let place = query.get("starting_after").cloned().unwrap_or_default();
    if is_list {
        state.arrive(&place).await;
    }
    let (mut response, mut body) = state.upstream.send(&request, body).await;
    // What is refused is an object and no list.
    if is_list && body.starts_with(b"[") {
        body = state.spoil(&body);
    }
    response.body(body)
}
