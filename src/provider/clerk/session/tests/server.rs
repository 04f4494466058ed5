//! A key set on a port of this machine: what it answers can be changed, its requests are
//! counted, and an answer can be held back.

use super::JwksAddress;
use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use secrecy::SecretString;
use std::sync::Mutex;
use tokio::sync::Semaphore;

/// What the server knows.
struct Answers {
    document: Mutex<(StatusCode, String)>,
    authorizations: Mutex<Vec<Option<String>>>,
    arrivals: Semaphore,
    gate: Semaphore,
}

/// A server that stops when it is dropped.
pub(super) struct JwksServer {
    answers: Data<Answers>,
    port: u16,
    handle: ServerHandle,
}

impl JwksServer {
    /// Serves a set of these entries.
    pub(super) fn start(entries: &[&str]) -> Self {
        let answers = Data::new(Answers {
            document: Mutex::new((StatusCode::OK, set(entries))),
            authorizations: Mutex::default(),
            arrivals: Semaphore::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let data = answers.clone();
        let app = move || App::new().app_data(data.clone()).default_service(web::to(answer));
        let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", 0)).unwrap();
        let port = server.addrs()[0].port();
        let server = server.disable_signals().run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { answers, port, handle }
    }

    pub(super) fn address(&self) -> JwksAddress {
        let url = format!("http://127.0.0.1:{}/v1/jwks", self.port).parse().unwrap();
        JwksAddress { url, secret_key: None }
    }

    pub(super) fn address_with_bearer(&self, secret_key: &str) -> JwksAddress {
        JwksAddress { secret_key: Some(SecretString::from(secret_key)), ..self.address() }
    }

    /// From now on the set has these entries.
    pub(super) fn serve(&self, entries: &[&str]) {
        self.answer(StatusCode::OK, &set(entries));
    }

    /// From now on this is the answer.
    pub(super) fn answer(&self, status: StatusCode, body: &str) {
        *self.answers.document.lock().unwrap() = (status, body.to_owned());
    }

    /// Answers are held back until [`Self::release`].
    pub(super) fn hold(&self) {
        self.answers.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(super) fn release(&self) {
        self.answers.gate.add_permits(1000);
    }

    /// Waits until a request has arrived that nobody waited for yet.
    pub(super) async fn arrival(&self) {
        self.answers.arrivals.acquire().await.unwrap().forget();
    }

    pub(super) fn requests(&self) -> usize {
        self.authorizations().len()
    }

    /// The `Authorization` header of each request so far.
    pub(super) fn authorizations(&self) -> Vec<Option<String>> {
        self.answers.authorizations.lock().unwrap().clone()
    }
}

impl Drop for JwksServer {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn answer(request: HttpRequest, answers: Data<Answers>) -> HttpResponse {
    let authorization = request.headers().get("authorization");
    let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
    answers.authorizations.lock().unwrap().push(authorization);
    answers.arrivals.add_permits(1);
    let _open = answers.gate.acquire().await.unwrap();
    let (status, body) = answers.document.lock().unwrap().clone();
    HttpResponse::build(status).insert_header(("location", "/elsewhere")).body(body)
}

fn set(entries: &[&str]) -> String {
    format!("{{\"keys\":[{}]}}", entries.join(","))
}
