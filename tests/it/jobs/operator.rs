//! Asks for jobs, and looks at them, as an operator does.

use super::fixture::WITHIN;
use crate::support::{ADMIN_TOKEN, Answer, until};
use reqwest::Method;
use serde_json::{Value, json};

/// Asks a service for jobs.
#[derive(Clone)]
pub(super) struct Operator {
    client: reqwest::Client,
    origin: String,
}

impl Operator {
    pub(super) fn of(origin: &str) -> Self {
        Self { client: reqwest::Client::new(), origin: origin.to_owned() }
    }

    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<String>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.origin));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    pub(super) async fn post(&self, body: Value) -> Answer {
        self.ask(Method::POST, "/v1/jobs", Some(ADMIN_TOKEN), Some(body.to_string())).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, Some(ADMIN_TOKEN), None).await
    }

    pub(super) async fn cancel(&self, id: &str) -> Answer {
        let path = format!("/v1/jobs/{id}/cancel");
        self.ask(Method::POST, &path, Some(ADMIN_TOKEN), None).await
    }

    /// Starts a job and returns its id.
    pub(super) async fn start(&self, body: Value) -> String {
        let answer = self.post(body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn backfill(&self) -> String {
        self.start(json!({"kind": "backfill"})).await
    }

    /// The job as it is shown now.
    pub(super) async fn job(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/jobs/{id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Waits until the job is in this state.
    pub(super) async fn until(&self, id: &str, state: &str) -> Value {
        until(state, WITHIN, async || {
            let job = self.job(id).await;
            let ended = !["queued", "running"].contains(&job["state"].as_str().unwrap());
            assert!(!ended || job["state"] == state, "{job}");
            (job["state"] == state).then_some(job)
        })
        .await
    }

    /// Starts a job, and waits for its good end.
    pub(super) async fn done(&self, body: Value) -> Value {
        let id = self.start(body).await;
        self.until(&id, "succeeded").await
    }

    /// Whom the job saw last, by what is shown of its place.
    pub(super) async fn place(&self, id: &str) -> String {
        let job = self.job(id).await;
        job["cursor"].as_str().unwrap().strip_prefix("scan:").unwrap().to_owned()
    }
}
