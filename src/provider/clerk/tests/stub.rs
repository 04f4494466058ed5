//! An HTTP server for tests of the API client and the key set: it answers by a script, records the
//! requests and can delay answers.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::web::{self, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    header: Option<(&'static str, String)>,
    body: String,
    delay: Duration,
    in_chunks: bool,
}

pub(crate) fn answer(status: u16, body: &str) -> Answer {
    let body = body.to_owned();
    Answer { status, header: None, body, delay: Duration::ZERO, in_chunks: false }
}

impl Answer {
    pub(crate) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    pub(crate) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Sends no `Content-Length`.
    pub(crate) fn in_chunks(self) -> Self {
        Self { in_chunks: true, ..self }
    }

    fn response(self) -> HttpResponse {
        let mut response = HttpResponse::build(StatusCode::from_u16(self.status).unwrap());
        if let Some(header) = self.header {
            response.insert_header(header);
        }
        if !self.in_chunks {
            return response.body(self.body);
        }
        let chunk = |part: &[u8]| Ok::<_, actix_web::Error>(Bytes::copy_from_slice(part));
        let chunks: Vec<_> = self.body.as_bytes().chunks(64 * 1024).map(chunk).collect();
        response.streaming(futures_util::stream::iter(chunks))
    }
}

#[derive(Clone)]
pub(crate) struct RecordedRequest {
    pub(crate) line: String,
    pub(crate) body: String,
    pub(crate) at: Instant,
    headers: HeaderMap,
}

impl RecordedRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) struct Stub {
    pub(crate) url: String,
    shared: Data<Shared>,
}

struct Shared {
    script: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<RecordedRequest>>,
    arrivals: Semaphore,
    gate: Semaphore,
}

impl Stub {
    /// Answers by the script; the last answer is given again and again.
    pub(crate) fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        let shared = Data::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            requests: Mutex::default(),
            arrivals: Semaphore::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let data = shared.clone();
        let server = HttpServer::new(move || {
            App::new().app_data(data.clone()).default_service(web::to(serve))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        tokio::spawn(server.run());
        Self { url, shared }
    }

    pub(crate) fn set(&self, answer: Answer) {
        *self.shared.script.lock().unwrap() = VecDeque::from([answer]);
    }

    /// Answers are held back until [`Self::release`].
    pub(crate) fn hold(&self) {
        self.shared.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn release(&self) {
        self.shared.gate.add_permits(1000);
    }

    /// Waits for the next request that no test waited for yet.
    pub(crate) async fn arrival(&self) {
        self.shared.arrivals.acquire().await.unwrap().forget();
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.requests.lock().unwrap().len()
    }
}

async fn serve(request: HttpRequest, body: String, shared: Data<Shared>) -> HttpResponse {
    let line = format!("{} {}", request.method(), request.uri());
    let headers = request.headers().clone();
    let request = RecordedRequest { line, body, at: Instant::now(), headers };
    shared.requests.lock().unwrap().push(request);
    shared.arrivals.add_permits(1);
    let _open = shared.gate.acquire().await.unwrap();
    let next = {
        let mut script = shared.script.lock().unwrap();
        if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() }
    };
    tokio::time::sleep(next.delay).await;
    next.response()
}
