//! Payloads with one mark in every personal field.

use crate::support::{Answer, SECRET, TestClient, message_id, now_seconds, user, user_id};
use serde_json::{Value, json};
use usersync::webhook::SigningSecret;

/// In every personal field; in lower case, so that look-up columns hold it too.
pub const MARK: &str = "mk7q2xv9zpersonal";

pub struct Person {
    pub id: String,
    number: usize,
}

impl Person {
    pub fn many(count: usize) -> Vec<Self> {
        let person = |number| Self { id: user_id(number), number };
        (0..count).map(person).collect()
    }

    pub fn email(&self) -> String {
        format!("{MARK}.{}@example.org", self.number)
    }

    /// An event that has the mark wherever a person can be found. Every tenth person's
    /// metadata is larger than a page of the database.
    pub fn event(&self) -> Value {
        let mut event = user(&self.id, 1_000);
        let notes = if self.number.is_multiple_of(10) { 1_000 } else { 1 };
        let data = &mut event["data"];
        for field in ["first_name", "last_name", "username", "external_id"] {
            data[field] = json!(MARK);
        }
        data["image_url"] = json!(format!("https://img.example.org/{MARK}"));
        data["email_addresses"][0]["email_address"] = json!(self.email());
        data["primary_phone_number_id"] = json!("idn_2");
        data["phone_numbers"] = json!([{"id": "idn_2", "phone_number": MARK}]);
        data["public_metadata"] = json!({"notes": vec![MARK; notes], MARK: 1, "role": MARK});
        data["private_metadata"] = json!({"notes": MARK});
        data["unsafe_metadata"] = json!({"notes": MARK});
        event["event_attributes"] = json!({"http_request": {"user_agent": MARK}});
        event
    }

    /// The same, with a field of a wrong type.
    pub fn malformed(&self) -> Value {
        let mut event = self.event();
        event["data"]["banned"] = json!(MARK);
        event
    }

    /// The same, cut short: no JSON any more.
    pub fn torn(&self) -> Vec<u8> {
        let mut body = self.event().to_string().into_bytes();
        body.truncate(body.len() - 10);
        body
    }

    /// The same, re-encoded as by a proxy that parses bodies.
    pub fn rewritten(&self) -> String {
        serde_json::to_string_pretty(&self.event()).unwrap()
    }
}

/// Sends a body under the signature of another one.
pub async fn send_forged(sender: &TestClient, signed: &str, sent: String) -> Answer {
    let (id, now) = (message_id(), now_seconds().to_string());
    let secret = SigningSecret::parse(SECRET).unwrap();
    let request = sender
        .http
        .post(&sender.url)
        .header("svix-signature", secret.signature(&id, &now, signed.as_bytes()))
        .header("svix-id", id)
        .header("svix-timestamp", now)
        .body(sent);
    Answer::of(request.send().await.unwrap()).await
}
