//! A signed request that a test can change before it is posted.

use super::{Answer, SECRET, TestClient, message_id, now_seconds};
use serde_json::Value;
use std::fmt::Write as _;

#[derive(Clone)]
pub struct Delivery {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Delivery {
    pub fn event(event: &Value) -> Self {
        Self::bytes(event.to_string())
    }

    pub fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self::by(SECRET, now_seconds(), body)
    }

    /// Bytes, signed with the given secret at the given time as a new message.
    pub fn by(secret: &str, timestamp: i64, body: impl Into<Vec<u8>>) -> Self {
        let (id, body) = (message_id(), body.into());
        let signer = svix::webhooks::Webhook::new(secret).unwrap();
        let signature = signer.sign(&id, timestamp, &body).unwrap();
        let headers = vec![
            ("svix-id".to_owned(), id),
            ("svix-timestamp".to_owned(), timestamp.to_string()),
            ("svix-signature".to_owned(), signature),
        ];
        Self { headers, body }
    }

    pub fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|header| header.0 == name);
        found.unwrap().1.clone()
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|header| header.0 != name);
        self
    }

    /// The same with another value of a header, or one more header.
    pub fn with(self, name: &str, value: &str) -> Self {
        let mut changed = self.without(name);
        changed.headers.push((name.to_owned(), value.to_owned()));
        changed
    }

    /// The same with another body, under the same signature.
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with `svix-NAME` called `webhook-NAME`.
    pub fn renamed(mut self, name: &str) -> Self {
        for header in &mut self.headers {
            if header.0 == format!("svix-{name}") {
                header.0 = format!("webhook-{name}");
            }
        }
        self
    }

    pub async fn post(self, client: &TestClient) -> Answer {
        let url = client.url.clone();
        self.post_to(client, &url).await
    }

    pub async fn post_to(self, client: &TestClient, url: &str) -> Answer {
        let mut request = client.http.post(url).body(self.body);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// The head of a request by hand, with these lines besides.
    pub fn head(&self, lines: &[&str]) -> Vec<u8> {
        let mut head = "POST /webhooks/clerk HTTP/1.1\r\nhost: test\r\n".to_owned();
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        for line in lines {
            write!(head, "{line}\r\n").unwrap();
        }
        (head + "\r\n").into_bytes()
    }
}
