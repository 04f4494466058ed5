//! A stand-in for the API with scripted answers, and a budget that counts.

use super::super::limits::Limits;
use super::super::{ApiSettings, ClerkApi};
use crate::domain::Backoff;
use crate::provider::clerk::tests::clerk;
use crate::provider::{API_OK, Budget, BudgetError, Call, Priority};
use crate::telemetry::{LabelWords, Metrics};
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One scripted answer.
#[derive(Clone)]
pub(super) struct Scripted {
    status: u16,
    header: Option<(&'static str, String)>,
    body: String,
    delay: Duration,
    in_chunks: bool,
}

pub(super) fn answer(status: u16, body: &str) -> Scripted {
    let body = body.to_owned();
    Scripted { status, header: None, body, delay: Duration::ZERO, in_chunks: false }
}

pub(super) fn error(status: u16, code: &str) -> Scripted {
    answer(
        status,
        &format!(r#"{{"errors":[{{"message":"m","long_message":"l","code":"{code}"}}]}}"#),
    )
}

impl Scripted {
    pub(super) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    pub(super) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Without a length.
    pub(super) fn in_chunks(self) -> Self {
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

/// A request as it arrived.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) at: Instant,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

struct Shared {
    script: Mutex<VecDeque<Scripted>>,
    seen: Mutex<Vec<Seen>>,
}

/// The stand-in.
pub(super) struct Stub {
    pub(super) url: String,
    shared: Arc<Shared>,
}

impl Stub {
    /// Answers by the script; the last answer is given again and again.
    pub(super) fn new(script: impl IntoIterator<Item = Scripted>) -> Self {
        let script = Mutex::new(script.into_iter().collect());
        let shared = Arc::new(Shared { script, seen: Mutex::default() });
        let data = web::Data::from(Arc::clone(&shared));
        let server = HttpServer::new(move || {
            let big = web::PayloadConfig::new(1024 * 1024);
            App::new().app_data(big).app_data(data.clone()).default_service(web::to(serve))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        tokio::spawn(server.run());
        Self { url, shared }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.seen().len()
    }
}

async fn serve(request: HttpRequest, body: String, shared: web::Data<Shared>) -> HttpResponse {
    let headers = request.headers().iter();
    let headers = headers.map(|(key, value)| (key.to_string(), value.to_str().unwrap().to_owned()));
    let line = format!("{} {}", request.method(), request.uri());
    let at = Instant::now();
    shared.seen.lock().unwrap().push(Seen { line, headers: headers.collect(), body, at });
    let next = {
        let mut script = shared.script.lock().unwrap();
        if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() }
    };
    tokio::time::sleep(next.delay).await;
    next.response()
}

/// A budget that counts what is taken, and refuses as it is told.
#[derive(Default)]
pub(super) struct Counting {
    taken: Mutex<usize>,
    pub(super) refusals: Mutex<VecDeque<Duration>>,
}

impl Counting {
    pub(super) fn taken(&self) -> usize {
        *self.taken.lock().unwrap()
    }
}

impl Budget for Counting {
    fn take(
        &self,
        _: Priority,
    ) -> Pin<Box<dyn Future<Output = Result<(), BudgetError>> + Send + '_>> {
        Box::pin(async {
            if let Some(retry_after) = self.refusals.lock().unwrap().pop_front() {
                return Err(BudgetError { retry_after });
            }
            *self.taken.lock().unwrap() += 1;
            Ok(())
        })
    }
}

/// A client of `url` with times so short that tests need not wait.
pub(super) struct Client {
    pub(super) api: ClerkApi,
    pub(super) budget: Arc<Counting>,
    pub(super) metrics: Arc<Metrics>,
}

pub(super) fn settings(url: &str) -> ApiSettings {
    let secret_key = "sk_test_secret".to_owned().into();
    ApiSettings { url: url.parse().unwrap(), secret_key, clerk: clerk(&[]) }
}

pub(super) fn limits() -> Limits {
    let millis = Duration::from_millis;
    Limits {
        connect: millis(1000),
        call: millis(2000),
        backoff: Backoff { first: millis(1), longest: millis(5) },
        breaker: Backoff { first: millis(50), longest: millis(100) },
        ..Limits::default()
    }
}

pub(super) fn client_with(url: &str, limits: Limits) -> Client {
    let budget = Arc::new(Counting::default());
    let metrics = Arc::new(Metrics::new(LabelWords {
        api_calls: Call::WORDS.to_vec(),
        api_outcomes: vec![API_OK],
        ..LabelWords::default()
    }));
    let shared: Arc<dyn Budget> = Arc::<Counting>::clone(&budget);
    let api = ClerkApi::with_limits(settings(url), shared, Arc::clone(&metrics), limits);
    Client { api: api.unwrap(), budget, metrics }
}

pub(super) fn client(url: &str) -> Client {
    client_with(url, limits())
}
