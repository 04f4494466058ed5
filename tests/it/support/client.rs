//! What a service is asked and sent by its clients: the provider's signed deliveries, by an
//! implementation that is not ours, and an operator's or a user's requests.

use super::{ADMIN_TOKEN, READ_TOKEN, until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;
use url::Url;
use uuid::Uuid;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A client of the service at `origin`, with connections that it keeps.
#[derive(Clone)]
pub struct TestClient {
    pub http: reqwest::Client,
    pub origin: String,
    pub url: String,
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn outcome(&self) -> &str {
        self.body["outcome"].as_str().unwrap_or_else(|| panic!("no outcome: {self:?}"))
    }

    pub fn reason(&self) -> Option<&str> {
        self.body["reason"].as_str()
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_else(|| panic!("no problem: {self:?}"))
    }

    #[track_caller]
    pub fn data(&self) -> &[Value] {
        assert_eq!(self.status, 200, "{self:?}");
        self.body["data"].as_array().unwrap_or_else(|| panic!("no list: {self:?}"))
    }

    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code()), (status, code), "{self:?}");
    }

    /// The client is asked to come again; returns after how many seconds.
    #[track_caller]
    pub fn assert_unavailable(&self, code: &str) -> u64 {
        self.assert_problem(503, code);
        let seconds = self.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(seconds > 0);
        seconds
    }

    pub async fn of(response: reqwest::Response) -> Self {
        Self::try_of(response).await.unwrap()
    }

    /// Fails where the connection breaks before the whole answer has come.
    pub async fn try_of(response: reqwest::Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await?;
        Ok(Self { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

pub fn now_seconds() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

pub fn message_id() -> String {
    format!("msg_{}", Uuid::new_v4().simple())
}

impl TestClient {
    pub fn of(origin: String) -> Self {
        Self { http: reqwest::Client::new(), url: format!("{origin}/webhooks/clerk"), origin }
    }

    pub async fn send(&self, event: &Value) -> Answer {
        self.send_as(&message_id(), event).await
    }

    pub async fn send_as(&self, id: &str, event: &Value) -> Answer {
        self.send_bytes(id, event.to_string().into_bytes()).await
    }

    pub async fn send_bytes(&self, id: &str, body: Vec<u8>) -> Answer {
        self.try_send(id, body).await.expect("the service answers")
    }

    /// Posts bytes as the given message, and does not wait for the answer.
    pub fn spawn(&self, id: String, body: Vec<u8>) -> JoinHandle<Answer> {
        let client = self.clone();
        tokio::spawn(async move { client.send_bytes(&id, body).await })
    }

    /// Posts bytes as the given message; fails where the service does not answer.
    pub async fn try_send(&self, id: &str, body: Vec<u8>) -> reqwest::Result<Answer> {
        let timestamp = now_seconds();
        let signature =
            svix::webhooks::Webhook::new(SECRET).unwrap().sign(id, timestamp, &body).unwrap();
        let request = self
            .http
            .post(&self.url)
            .header("svix-id", id)
            .header("svix-timestamp", timestamp.to_string())
            .header("svix-signature", signature)
            .header("content-type", "application/json")
            .body(body);
        Answer::try_of(request.send().await?).await
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.origin))
    }

    /// A request with a bearer token and a body, where they are given.
    pub async fn ask_as(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Answer {
        let mut request = self.request(method, path);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.ask_as(Some(ADMIN_TOKEN), method, path, body.map(|body| body.to_string())).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask_as(None, Method::GET, path, None).await
    }

    pub async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.ask_as(Some(token), Method::GET, path, None).await
    }

    /// The user as `GET /v1/users/{id}` shows it; panics where there is none.
    pub async fn user(&self, id: &str) -> Value {
        let encoded: String =
            id.bytes().flat_map(|byte| ["%".to_owned(), format!("{byte:02X}")]).collect();
        let answer = self.get_as(READ_TOKEN, &format!("/v1/users/{encoded}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// The users with this address.
    pub async fn find_by_email(&self, email: &str) -> Answer {
        let mut url = Url::parse(&self.origin).unwrap();
        url.query_pairs_mut().append_pair("email", email);
        self.get_as(READ_TOKEN, &format!("/v1/users?{}", url.query().unwrap())).await
    }

    pub async fn set_override(&self, user_id: &str, body: Value) {
        let answer = self.ask(Method::PATCH, &format!("/v1/users/{user_id}"), Some(body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Has an operator resync users, as `POST /v1/reconcile` does.
    pub async fn resync<T: AsRef<str>>(&self, ids: &[T]) -> Answer {
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        self.ask(Method::POST, "/v1/reconcile", Some(json!({ "user_ids": ids }))).await
    }

    pub async fn resync_one(&self, id: &str) -> (String, Option<String>) {
        let answer = self.resync(&[id]).await;
        let one = &answer.data()[0];
        let text = |field: &str| one[field].as_str().map(str::to_owned);
        (text("outcome").unwrap(), text("reason"))
    }

    pub async fn start_job(&self, body: Value) -> String {
        let answer = self.ask(Method::POST, "/v1/jobs", Some(body)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["id"].as_str().unwrap().to_owned()
    }

    pub async fn start_backfill(&self) -> String {
        self.start_job(json!({"kind": "backfill"})).await
    }

    pub async fn job(&self, id: &str) -> Value {
        let answer = self.get_as(ADMIN_TOKEN, &format!("/v1/jobs/{id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// The job once it has ended, whether well or not.
    pub async fn ended_job(&self, id: &str) -> Value {
        until("the job ends", async || {
            let job = self.job(id).await;
            (!is_active(&job)).then_some(job)
        })
        .await
    }

    /// A job from its start to its end, whether good or not.
    pub async fn run_job(&self, body: Value) -> Value {
        let id = self.start_job(body).await;
        self.ended_job(&id).await
    }

    /// The job once it is in this state; panics where it ends in another.
    pub async fn job_in_state(&self, id: &str, state: &str) -> Value {
        until(state, async || {
            let job = self.job(id).await;
            assert!(is_active(&job) || job["state"] == state, "{job}");
            (job["state"] == state).then_some(job)
        })
        .await
    }

    /// A job from its start to its good end.
    pub async fn finish_job(&self, body: Value) -> Value {
        let id = self.start_job(body).await;
        self.job_in_state(&id, "succeeded").await
    }

    pub async fn cancel_job(&self, id: &str) -> Answer {
        self.ask(Method::POST, &format!("/v1/jobs/{id}/cancel"), None).await
    }
}

fn is_active(job: &Value) -> bool {
    ["queued", "running"].contains(&job["state"].as_str().unwrap())
}

/// The outcomes of a resync, in the order of the answer.
pub fn outcomes(answer: &Answer) -> Vec<String> {
    let outcome = |one: &Value| one["outcome"].as_str().unwrap().to_owned();
    answer.data().iter().map(outcome).collect()
}
