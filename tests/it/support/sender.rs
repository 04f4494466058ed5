//! A sender that signs as the provider does, by an implementation that is not ours.

use reqwest::StatusCode;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// The signing secret of every test's service.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Signs events and posts them.
#[derive(Clone)]
pub struct Sender {
    pub client: reqwest::Client,
    pub url: String,
}

/// What came back.
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

/// Seconds since 1970.
pub fn now_seconds() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A message id that no other message has.
pub fn message_id() -> String {
    format!("msg_{}", Uuid::new_v4().simple())
}

impl Sender {
    /// Posts an event as a new message.
    pub async fn send(&self, event: &Value) -> Answer {
        self.send_as(&message_id(), event).await
    }

    /// Posts an event as the given message.
    pub async fn send_as(&self, id: &str, event: &Value) -> Answer {
        self.send_bytes(id, event.to_string().into_bytes()).await
    }

    /// Posts bytes as the given message.
    pub async fn send_bytes(&self, id: &str, body: Vec<u8>) -> Answer {
        self.try_send(id, body).await.expect("the service answers")
    }

    /// Posts bytes as the given message; fails where nobody answers.
    pub async fn try_send(&self, id: &str, body: Vec<u8>) -> reqwest::Result<Answer> {
        let timestamp = now_seconds();
        let signature =
            svix::webhooks::Webhook::new(SECRET).unwrap().sign(id, timestamp, &body).unwrap();
        let request = self
            .client
            .post(&self.url)
            .header("svix-id", id)
            .header("svix-timestamp", timestamp.to_string())
            .header("svix-signature", signature)
            .header("content-type", "application/json")
            .body(body);
        Answer::try_of(request.send().await?).await
    }
}
