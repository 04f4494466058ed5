//! A proxy between a service and the provider's API, which a test can watch and block.

use super::{ApiFault, TestEmulator, until_true};
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data};
use actix_web::{
    App, FromRequest, Handler, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer,
    Responder,
};
use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    Nothing,
    /// Requests with an effect, before they have any.
    Writes,
    /// Answers to requests that had their effect.
    WriteAnswers,
    Fetches,
    Pages,
    LaterPages,
    /// The same, which are refused at once and not held.
    LaterPagesRefused,
    Everything,
}

pub struct Proxy {
    pub url: String,
    state: Arc<ProxyState>,
    _server: Server,
}

struct ProxyState {
    upstream: Upstream,
    /// What is blocked, and how often those that were held have been released.
    blocked: watch::Sender<(Blocked, usize)>,
    held: watch::Sender<usize>,
    arrivals: Mutex<Vec<Instant>>,
    /// What `GET` requests about users meet, one after the other.
    faults: Mutex<VecDeque<Option<ApiFault>>>,
}

impl Proxy {
    pub fn to(emulator: &TestEmulator) -> Self {
        let state = Arc::new(ProxyState {
            upstream: Upstream::of(emulator),
            blocked: watch::Sender::new((Blocked::Nothing, 0)),
            held: watch::Sender::new(0),
            arrivals: Mutex::default(),
            faults: Mutex::default(),
        });
        let (url, server) = Server::start(&state, pass);
        Self { url, state, _server: server }
    }

    pub fn blocking(emulator: &TestEmulator, blocked: Blocked) -> Self {
        let proxy = Self::to(emulator);
        proxy.block(blocked);
        proxy
    }

    /// Changes what does not get through; what was held goes on.
    pub fn block(&self, blocked: Blocked) {
        self.state.blocked.send_modify(|now| now.0 = blocked);
    }

    pub fn release_once(&self) {
        self.state.blocked.send_modify(|now| now.1 += 1);
    }

    /// Every second `GET` about users meets one of these faults, while there are any.
    pub fn inject(&self, faults: impl IntoIterator<Item = ApiFault>) {
        let faults = faults.into_iter().flat_map(|fault| [Some(fault), None]);
        self.state.faults.lock().unwrap().extend(faults);
    }

    pub fn faults_left(&self) -> usize {
        self.state.faults.lock().unwrap().iter().flatten().count()
    }

    pub async fn until_held(&self, count: usize) {
        let held = self.state.held.subscribe();
        until_true("calls are held", async || *held.borrow() >= count).await;
    }

    pub async fn until_arrived(&self, count: usize) {
        until_true("calls arrive", async || self.arrivals().len() >= count).await;
    }

    /// When each request arrived that the budget counts.
    pub fn arrivals(&self) -> Vec<Instant> {
        self.state.arrivals.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.block(Blocked::Nothing);
    }
}

impl ProxyState {
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

async fn pass(state: Data<ProxyState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let (writes, path) = (request.method() == "PATCH", request.path().to_owned());
    let reads = !writes && path.starts_with("/v1/users");
    let lists = reads && path == "/v1/users";
    let fetches = reads && !lists && path != "/v1/users/count";
    let fault = reads.then(|| state.faults.lock().unwrap().pop_front()).flatten().flatten();
    if !path.ends_with("/jwks") {
        state.arrivals.lock().unwrap().push(Instant::now());
    }
    let query = request.query_string();
    let is_later = lists && (query.contains("offset=") || query.contains("starting_after="));
    let holds_request = |blocked| match blocked {
        Blocked::Everything => true,
        Blocked::Writes => writes,
        Blocked::LaterPages => is_later,
        _ => false,
    };
    state.hold(holds_request).await;
    if is_later && state.blocked.borrow().0 == Blocked::LaterPagesRefused {
        return HttpResponse::Unauthorized().finish();
    }
    if let Some(answer) = fault.and_then(ApiFault::instead) {
        return answer;
    }
    let (mut response, body) = state.upstream.send(&request, body).await;
    let holds_answer = |blocked| match blocked {
        Blocked::WriteAnswers => writes,
        Blocked::Fetches => fetches,
        Blocked::Pages => lists,
        _ => false,
    };
    state.hold(holds_answer).await;
    match fault {
        Some(fault) => fault.applied_to(response, body).await,
        None => response.body(body),
    }
}

/// An HTTP server on a free port of this machine, stopped when dropped.
pub struct Server(actix_web::dev::ServerHandle);

impl Server {
    /// Answers every request by `handler`; returns where it listens.
    pub fn start<S, H, A>(state: &Arc<S>, handler: H) -> (String, Self)
    where
        S: Send + Sync + 'static,
        H: Handler<A> + Send,
        H::Output: Responder + 'static,
        A: FromRequest + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Data::from(Arc::clone(state));
        let server = HttpServer::new(move || {
            App::new().app_data(state.clone()).default_service(web::to(handler.clone()))
        });
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        tokio::spawn(server);
        (url, Self(handle))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.stop(false));
    }
}

pub struct Upstream {
    url: String,
    http: reqwest::Client,
}

impl Upstream {
    pub fn of(emulator: &TestEmulator) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url: emulator.credentials().api_url.clone(), http }
    }

    /// Sends a request on, and returns the answer without its body, and that.
    pub async fn send(&self, request: &HttpRequest, body: Bytes) -> (HttpResponseBuilder, Bytes) {
        let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).unwrap();
        let mut onward = self.http.request(method, format!("{}{}", self.url, request.uri()));
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
}
