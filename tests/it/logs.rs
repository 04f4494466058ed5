//! Logs hold ids and closed words only, at any level, whatever the fields of events hold.

use crate::erasure::person::odd_spelling;
use crate::support::{
    Delivery, READ_TOKEN, Rng, SECRET, TestApp, TestClient, TestDatabase, deleted, message_id,
    user, user_id,
};
use serde_json::{Value, json};

async fn logged(database: &TestDatabase, work: impl AsyncFnOnce(&TestClient)) -> String {
    let builder = TestApp::builder(database).variables(&[("RUST_LOG", "trace")]);
    let mut service = builder.start_process().await;
    work(&service.client).await;
    service.stop().await
}

/// How a field of the event can hold something, well or wrongly.
const FIELDS: [&str; 12] = [
    "/data/first_name",
    "/data/last_name",
    "/data/username",
    "/data/image_url",
    "/data/banned",
    "/data/created_at",
    "/data/public_metadata",
    "/data/email_addresses",
    "/data/email_addresses/0/email_address",
    "/data/email_addresses/0/verification",
    "/data/primary_email_address_id",
    "/data",
];

/// Makes text that holds a word, and values of every type that hold it as key or text; remembers the
/// words.
struct Personal {
    rng: Rng,
    words: Vec<String>,
}

impl Personal {
    fn word(&mut self) -> String {
        let word = format!("zq{:08x}", self.rng.below(usize::MAX) & 0xffff_ffff);
        self.words.push(word.clone());
        word
    }

    fn text(&mut self) -> String {
        let word = self.word();
        match self.rng.below(6) {
            0 => word,
            1 => format!("\u{a0}\0{word}\0 \u{e9}"),
            2 => format!("\"{word}\\\r\nERROR {word}\u{1b}[31m"),
            3 => format!("{word}{}", "x".repeat(70_000)),
            4 => format!("\u{202e}\u{1f511}{word}%00%s{{}}"),
            _ => format!("{word}@{word}.example.org"),
        }
    }

    fn value(&mut self) -> Value {
        let text = self.text();
        match self.rng.below(4) {
            0 => json!(text),
            1 => json!({ text: 1 }),
            2 => json!([text]),
            _ => json!([{"id": text, "email_address": {"role": text}}]),
        }
    }

    /// An event of any type, with such a value anywhere, as it is or cut short.
    fn body(&mut self, number: usize) -> Vec<u8> {
        let mut event = user(&odd_spelling(&user_id(number), &mut self.rng), 1_000);
        event["data"]["last_name"] = self.text().into();
        event["data"]["email_addresses"][0]["email_address"] = self.text().into();
        for absent in ["username", "image_url", "banned"] {
            event["data"][absent] = Value::Null;
        }
        *event.pointer_mut(FIELDS[self.rng.below(FIELDS.len())]).unwrap() = self.value();
        event["type"] = ["user.created", "user.updated", "email.created"][self.rng.below(3)].into();
        let mut body = event.to_string().into_bytes();
        if self.rng.below(4) == 0 {
            body.truncate(body.len() - self.rng.below(body.len() / 2));
        }
        body
    }
}

both_engines! {
    async fn trap_10_logs_hold_no_personal_data_whatever_rust_log_says(engine) {
        let database = TestDatabase::new(engine);
        let mut personal = Personal { rng: Rng::seeded(0x1095), words: Vec::new() };
        let log = logged(&database, async |client| {
            for number in 0..150 {
                let body = personal.body(number);
                let answer = client.send_bytes(&message_id(), body).await;
                assert!([200, 202].contains(&answer.status.as_u16()), "{answer:?}");
                let forged = Delivery::bytes("{}").with_body(personal.body(number));
                assert_eq!(forged.post(client).await.code(), "bad_signature");
                let asked = client.find_by_email(&format!("{}@example.org", personal.word())).await;
                assert!(asked.data().is_empty());
            }
            client.send(&deleted(&user_id(1))).await;
        })
        .await;
        assert!(log.contains("delivery committed") && log.contains("quarantined"), "nothing is logged:\n{log}");
        let fixed = ["Ada", READ_TOKEN, SECRET];
        for word in personal.words.iter().map(String::as_str).chain(fixed) {
            let line = log.lines().find(|line| line.contains(word));
            assert_eq!(line, None, "{word} is logged");
        }
    }

    async fn a_refusal_of_the_database_is_logged_without_its_words(engine) {
        let database = TestDatabase::new(engine);
        let log = logged(&database, async |client| {
            database.refuse_users("first_name", "Ada");
            assert_eq!(client.send(&user(&user_id(1), 1_000)).await.outcome(), "quarantined");
        })
        .await;
        assert!(log.contains("refused"), "nothing is logged:\n{log}");
        assert!(!log.contains("Ada") && !log.contains("example.org"), "{log}");
    }
}
