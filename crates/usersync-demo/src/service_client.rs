//! An HTTP client of the service under demonstration.
//!
//! Called by the other files of this crate. Knows routes and tokens, nothing of the scenario.

use crate::DemoError;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// Of one response: fetching a user under faults takes long.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct ServiceClient {
    client: Client,
    origin: String,
    admin_token: String,
}

/// The status and the JSON body, or null.
pub(crate) type Reply = (StatusCode, Value);

impl ServiceClient {
    pub(crate) fn new(origin: String, admin_token: String) -> Result<Self, DemoError> {
        let client = Client::builder().no_proxy().timeout(TIMEOUT).build();
        let client = client.map_err(|error| DemoError(error.to_string()))?;
        Ok(Self { client, origin, admin_token })
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.client.get(format!("{}/readyz", self.origin)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub(crate) async fn me(&self, session_token: &str) -> Result<Reply, DemoError> {
        self.ask(Method::GET, "/v1/me", session_token, None).await
    }

    pub(crate) async fn set_role(&self, id: &str, role: &str) -> Result<Reply, DemoError> {
        let path = format!("/v1/users/{id}");
        self.ask(Method::PATCH, &path, &self.admin_token, Some(json!({"role": role}))).await
    }

    pub(crate) async fn start_reconcile(&self) -> Result<Reply, DemoError> {
        let body = Some(json!({"kind": "reconcile", "allow_mass_delete": true}));
        self.ask(Method::POST, "/v1/jobs", &self.admin_token, body).await
    }

    pub(crate) async fn job(&self, id: &str) -> Result<Reply, DemoError> {
        self.ask(Method::GET, &format!("/v1/jobs/{id}"), &self.admin_token, None).await
    }

    /// Every row, deleted ones too.
    pub(crate) async fn rows(&self) -> Result<Vec<Value>, DemoError> {
        let mut rows = self.pages("/v1/users?limit=500").await?;
        rows.extend(self.pages("/v1/users?limit=500&status=deleted").await?);
        Ok(rows)
    }

    pub(crate) async fn due_write_backs(&self) -> Result<usize, DemoError> {
        Ok(self.pages("/v1/write-backs?limit=500&state=due").await?.len())
    }

    pub(crate) async fn metrics(&self) -> Result<String, DemoError> {
        let answer = self.client.get(format!("{}/metrics", self.origin)).send().await;
        let text = answer.map_err(|error| unanswered(&error))?.text().await;
        text.map_err(|error| unanswered(&error))
    }

    async fn pages(&self, path: &str) -> Result<Vec<Value>, DemoError> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = format!("{path}&cursor={cursor}");
            let (status, mut body) = self.ask(Method::GET, &page, &self.admin_token, None).await?;
            let Some(Value::Array(data)) = body.get_mut("data").map(Value::take) else {
                return Err(unexpected(path, status, &body));
            };
            items.extend(data);
            match body.get("next_cursor").and_then(Value::as_str) {
                Some(next) => next.clone_into(&mut cursor),
                None => return Ok(items),
            }
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Result<Reply, DemoError> {
        let request = self.client.request(method, format!("{}{path}", self.origin));
        let mut request = request.bearer_auth(token);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.map_err(|error| unanswered(&error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| unanswered(&error))?;
        Ok((status, serde_json::from_str(&text).unwrap_or_default()))
    }
}

fn unanswered(error: &reqwest::Error) -> DemoError {
    DemoError(format!("the service did not answer: {error}"))
}

pub(crate) fn unexpected(what: &str, status: StatusCode, body: &Value) -> DemoError {
    DemoError(format!("{what} was answered with status {status}: {body}"))
}
