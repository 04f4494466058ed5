//! A service that hears what a test tells it, while the emulator tells it nothing by itself: what
//! the provider knows and what was told can differ.

use super::{ADMIN_TOKEN, Answer, Emulated, Engine, SECRET, TestDatabase, emulator};
use clerk_emulator::Emulator;
use reqwest::Method;
use serde_json::{Value, json};

/// Nothing is written back: the provider stays as a test left it.
pub const NO_WRITE_BACK: (&str, &str) = ("USERSYNC_WRITE_BACK", "off");

impl Emulated {
    /// A service that takes a test's own events, and an emulator whose events are all dropped.
    /// Session tokens are known by their key, whatever the API answers.
    pub async fn start_hearing(engine: Engine, variables: &[(&str, &str)]) -> Self {
        Self::start_hearing_on(TestDatabase::new(engine), emulator(), variables).await
    }

    /// Likewise, on the given database with the given emulator.
    pub async fn start_hearing_on(
        database: TestDatabase,
        emulator: Emulator,
        variables: &[(&str, &str)],
    ) -> Self {
        let own = emulator.credentials().clone();
        let secrets = format!("{} {SECRET}", own.webhook_secret);
        let mut all = vec![
            ("CLERK_WEBHOOK_SIGNING_SECRET", secrets.as_str()),
            ("CLERK_JWT_KEY", own.jwt_key.as_str()),
        ];
        all.extend_from_slice(variables);
        let both = Self::start_on(database, emulator, &all).await;
        both.emulator.deliver_to(None);
        both
    }

    /// The event that would tell of a user as it is at the provider now.
    pub fn event_of(&self, id: &str) -> Value {
        let user = self.emulator.user(id).unwrap();
        json!({
            "type": "user.updated",
            "object": "event",
            "timestamp": user["updated_at"],
            "instance_id": self.emulator.credentials().instance_id,
            "data": user,
        })
    }

    /// `POST /v1/reconcile` of these ids.
    pub async fn resync<T: AsRef<str>>(&self, ids: &[T]) -> Answer {
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        let body = json!({ "user_ids": ids });
        self.ask(Method::POST, "/v1/reconcile", ADMIN_TOKEN, Some(body)).await
    }

    /// The outcome of a resync of one user, and its reason.
    pub async fn resync_one(&self, id: &str) -> (String, Option<String>) {
        let answer = self.resync(&[id]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let one = &answer.body["data"][0];
        let text = |field: &str| one[field].as_str().map(str::to_owned);
        (text("outcome").unwrap(), text("reason"))
    }

    /// The one value of a column of a user, as text.
    pub fn column(&self, id: &str, column: &str) -> Option<String> {
        let sql =
            format!("SELECT CAST({column} AS text) AS value FROM users WHERE external_id = '{id}'");
        self.database.query(&sql).remove(0)
    }
}

/// The outcomes of a resync, in the order of the answer.
pub fn outcomes(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = answer.body["data"].as_array().unwrap();
    data.iter().map(|one| one["outcome"].as_str().unwrap().to_owned()).collect()
}

/// A resync by a service that runs at the given origin.
pub async fn resync_at(origin: &str, ids: &[String]) -> Answer {
    let request = reqwest::Client::new().post(format!("{origin}/v1/reconcile"));
    let request = request.bearer_auth(ADMIN_TOKEN).body(json!({"user_ids": ids}).to_string());
    Answer::of(request.send().await.unwrap()).await
}
