//! Every fixture, posted as it is to a service that does not know its user, becomes exactly
//! what its expected file says. The directory is walked, so a case is added by adding a pair.

use crate::support::{Answer, Engine, READ_TOKEN, TestApp, USER_FIELDS, field_names, message_id};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

const LOCAL_FIELDS: [&str; 4] = ["id", "created_at", "updated_at", "synced_at"];

struct Fixture {
    name: String,
    body: Vec<u8>,
    expected: Value,
}

fn directory(kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind)
}

fn names(kind: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory(kind)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn fixtures() -> Vec<Fixture> {
    let names = names("webhooks");
    assert!(names.len() >= 45, "fixtures are missing: {names:?}");
    let read = |kind: &str, name: &str| fs::read(directory(kind).join(name)).unwrap();
    let fixture = |name: String| Fixture {
        body: read("webhooks", &name),
        expected: serde_json::from_slice(&read("expected", &name)).unwrap(),
        name,
    };
    names.into_iter().map(fixture).collect()
}

/// One service for many fixtures, until one comes whose user it knows already.
struct Walk {
    engine: Engine,
    app: TestApp,
    known: BTreeSet<String>,
}

impl Walk {
    async fn start(engine: Engine) -> Self {
        let app = TestApp::start(engine).await;
        let known = BTreeSet::new();
        Self { engine, app, known }
    }

    async fn post(&mut self, fixture: &Fixture) -> (String, Answer) {
        if let Some(id) = fixture.expected["user"]["external_id"].as_str()
            && !self.known.insert(id.to_owned())
        {
            self.app = TestApp::start(self.engine).await;
            self.known = BTreeSet::from([id.to_owned()]);
        }
        let message = message_id();
        let answer = self.app.send_bytes(&message, fixture.body.clone()).await;
        (message, answer)
    }

    async fn compare(&mut self, fixture: &Fixture) {
        let (message, answer) = self.post(fixture).await;
        let (name, expected) = (&fixture.name, &fixture.expected);
        assert_eq!(answer.body["outcome"], expected["outcome"], "{name}: {answer:?}");
        assert_eq!(answer.body["reason"], expected["reason"], "{name}");
        match answer.outcome() {
            "applied" => self.compare_user(name, &expected["user"]).await,
            "quarantined" => self.compare_quarantine(name, expected, &message),
            _ => assert_eq!(answer.body["user_id"], Value::Null, "{name}"),
        }
    }

    async fn compare_user(&self, name: &str, expected: &Value) {
        let text = self.user_text(expected["external_id"].as_str().unwrap()).await;
        assert_eq!(field_names(&text), USER_FIELDS, "{name}");
        let mut user: Value = serde_json::from_str(&text).unwrap();
        let fields = user.as_object_mut().unwrap();
        for field in LOCAL_FIELDS {
            assert!(fields.remove(field).unwrap().is_string(), "{name}: {field}");
        }
        if expected["status"] == "deleted" {
            assert!(fields.remove("deleted_at").unwrap().is_string(), "{name}");
        }
        assert_eq!(&user, expected, "{name}");
    }

    async fn user_text(&self, id: &str) -> String {
        let url = format!("{}/v1/users/{id}", self.app.origin);
        let request = self.app.http.get(url).bearer_auth(READ_TOKEN);
        request.send().await.unwrap().text().await.unwrap()
    }

    fn compare_quarantine(&self, name: &str, expected: &Value, message: &str) {
        let one = |column: &str, table: &str| {
            let condition = format!("message_id = '{message}' ORDER BY 1");
            self.app
                .database
                .query(&format!("SELECT {column} AS value FROM {table} WHERE {condition}"))
        };
        let text = |field: &str| expected[field].as_str().map(str::to_owned);
        assert_eq!(one("reason", "quarantine"), [text("reason")], "{name}");
        assert_eq!(one("path", "quarantine"), [text("path")], "{name}");
        let subjects: BTreeSet<_> = one("subject", "quarantine_subjects").into_iter().collect();
        let wanted = expected["subjects"].as_array().unwrap().iter();
        let wanted = wanted.map(|id| id.as_str().map(str::to_owned));
        assert_eq!(subjects, wanted.collect(), "{name}");
        assert_eq!(one("outcome", "webhook_events"), [Some("quarantined".to_owned())], "{name}");
    }
}

#[test]
fn every_fixture_has_its_expected_file() {
    assert_eq!(names("webhooks"), names("expected"));
}

both_engines! {
    async fn every_fixture_becomes_what_its_expected_file_says(mut walk = Walk::start) {
        for fixture in fixtures() {
            walk.compare(&fixture).await;
        }
    }

    async fn private_and_unsafe_metadata_are_nowhere(app = TestApp::start) {
        let mut secrets = BTreeSet::new();
        for fixture in fixtures() {
            app.send_bytes(&message_id(), fixture.body.clone()).await;
            if let Ok(body) = serde_json::from_slice(&fixture.body) {
                never_stored(&body, false, &mut secrets);
            }
        }
        assert!(secrets.len() >= 30, "the fixtures hold no secrets any more: {secrets:?}");
        let dump = app.database.dump();
        assert!(dump.contains("nadir.typeless@example.net"), "the dump shows nothing");
        for secret in &secrets {
            assert!(!dump.contains(secret), "{secret} is stored");
        }
    }

    async fn trap_10_nothing_is_kept_of_events_that_are_not_ours(app = TestApp::start) {
        let mut texts = BTreeSet::new();
        for fixture in fixtures().iter().filter(|one| one.expected["outcome"] == "ignored") {
            app.send_bytes(&message_id(), fixture.body.clone()).await;
            personal(&serde_json::from_slice(&fixture.body).unwrap(), &mut texts);
        }
        assert!(texts.iter().any(|text| text.contains("invented code")), "{texts:?}");
        let dump = app.database.dump();
        assert!(dump.contains("webhook_events: email.created"), "the dump shows nothing");
        for text in &texts {
            assert!(!dump.contains(text), "{text} is stored");
        }
        assert_eq!((app.database.count("users"), app.database.count("quarantine")), (0, 0));
    }
}

fn never_stored(value: &Value, within: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if within && !text.contains('\0') => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| never_stored(item, within, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let private = name == "private_metadata" || name == "unsafe_metadata";
                never_stored(value, within || private, found);
            }
        }
        _ => {}
    }
}

fn personal(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.contains(['@', ' ']) || text.starts_with("user_") => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| personal(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| personal(value, found)),
        _ => {}
    }
}
