//! A service whose provider is the emulator: events flow one way, calls the other.

use super::{ADMIN_TOKEN, Answer, Engine, Relay, SECRET, TestApp, TestDatabase, until};
use clerk_emulator::{Emulator, Retries, Settings};
use reqwest::Method;
use serde_json::{Value, json};
use std::ops::Deref;
use std::time::Duration;

/// How long the two may take to agree on a busy machine.
const AGREED_WITHIN: Duration = Duration::from_secs(60);

pub struct Emulated {
    pub app: TestApp,
    pub emulator: Emulator,
}

impl Deref for Emulated {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

/// The emulator of a test, which delivers nowhere yet.
pub fn emulator() -> Emulator {
    Emulator::start(Settings { retries: Retries::short(), ..Settings::default() }).unwrap()
}

/// The variables that make a service talk to an emulator. It hears hand-made events too.
pub fn provider_variables(emulator: &Emulator) -> Vec<(String, String)> {
    let credentials = emulator.credentials();
    let webhook_secrets = format!("{} {SECRET}", credentials.webhook_secret);
    [
        ("CLERK_API_URL", &credentials.api_url),
        ("CLERK_SECRET_KEY", &credentials.secret_key),
        ("CLERK_PUBLISHABLE_KEY", &credentials.publishable_key),
        ("CLERK_WEBHOOK_SIGNING_SECRET", &webhook_secrets),
        ("USERSYNC_API_BUDGET", &"off".to_owned()),
        // Nothing is healed that a test did not ask for.
        ("USERSYNC_WATCH_INTERVAL", &"off".to_owned()),
        ("USERSYNC_RECONCILE_SCHEDULE", &"off".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value.clone()))
    .to_vec()
}

impl Emulated {
    /// A service on a new database, ready, and an emulator that delivers to it.
    pub async fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[]).await
    }

    /// Likewise, with these variables besides.
    pub async fn start_with(engine: Engine, variables: &[(&str, &str)]) -> Self {
        Self::start_on(TestDatabase::new(engine), emulator(), variables).await
    }

    /// A service on the given database with the given emulator.
    pub async fn start_on(
        database: TestDatabase,
        emulator: Emulator,
        variables: &[(&str, &str)],
    ) -> Self {
        let own = provider_variables(&emulator);
        let mut all: Vec<(&str, &str)> =
            own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend_from_slice(variables);
        let app = TestApp::start_on(database, &all).await;
        emulator.deliver_to(Some(app.sender.url.clone()));
        Self { app, emulator }
    }

    /// A service on a new database whose calls go through a relay.
    pub async fn start_behind_relay(engine: Engine, variables: &[(&str, &str)]) -> (Self, Relay) {
        let emulator = emulator();
        let relay = Relay::to(&emulator);
        let mut all = vec![("CLERK_API_URL", relay.url.as_str())];
        all.extend_from_slice(variables);
        let both = Self::start_on(TestDatabase::new(engine), emulator, &all).await;
        (both, relay)
    }

    /// Stops the service, and leaves the rest.
    pub async fn stop(self) -> (TestDatabase, Emulator) {
        (self.app.stop().await, self.emulator)
    }

    /// Signs up a user and returns the provider's id.
    pub fn sign_up(&self, name: &str) -> String {
        let address = format!("{}@example.org", name.to_lowercase());
        let user =
            self.emulator.create_user(json!({"first_name": name, "email_address": [address]}));
        user["id"].as_str().unwrap_or_else(|| panic!("refused: {user}")).to_owned()
    }

    /// Waits until every event is delivered and nothing is due to be written back.
    pub async fn quiet(&self) {
        self.emulator.settled().await;
        until("nothing is due", AGREED_WITHIN, async || {
            (self.database.count("write_backs WHERE state = 'due'") == 0).then_some(())
        })
        .await;
        self.emulator.settled().await;
    }

    /// A request with a bearer token and, where it is given, a body.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Answer {
        let request = self.client.request(method, format!("{}{path}", self.origin));
        let mut request = request.bearer_auth(token);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// An operator's choice for a user.
    pub async fn set_here(&self, user_id: &str, choice: Value) {
        let path = format!("/v1/users/{user_id}");
        let answer = self.ask(Method::PATCH, &path, ADMIN_TOKEN, Some(choice)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// A manual resync, or with `take_over` the settling of conflicts; the outcomes.
    pub async fn fetch_anew(&self, user_ids: &[String], take_over: bool) -> Vec<Value> {
        let wanted = json!({"user_ids": user_ids, "take_over": take_over});
        let answer = self.ask(Method::POST, "/v1/reconcile", ADMIN_TOKEN, Some(wanted)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["data"].as_array().unwrap().clone()
    }

    /// What stands in `write_backs`, a line a user: its id and state.
    pub fn outbox(&self) -> Vec<String> {
        let sql = "SELECT external_id || ' ' || state AS value FROM write_backs ORDER BY 1";
        self.database.query(sql).into_iter().flatten().collect()
    }

    /// What is chosen here for a user, and what the provider shows: role and plan of each.
    pub fn chosen_and_shown(&self, user_id: &str) -> String {
        let sql = format!(
            "SELECT COALESCE(set_role, '-') || ' ' || COALESCE(source_role, '-') || ' ' || \
             COALESCE(set_plan, '-') || ' ' || COALESCE(source_plan, '-') AS value \
             FROM users WHERE external_id = '{user_id}'"
        );
        self.database.query(&sql).remove(0).unwrap()
    }

    /// How many calls were made that write metadata, and how many that look at a user; without
    /// the one look that proves the key of a new database.
    pub fn calls(&self) -> (u64, u64) {
        let counts = self.emulator.counts();
        let proofs = u64::try_from(self.database.count("pinned_instances")).unwrap();
        (counts.requests_of("metadata_patch"), counts.requests_of("get") - proofs)
    }

    /// `GET /v1/me` of a user.
    pub async fn me(&self, user_id: &str) -> Answer {
        self.get_as(&self.emulator.session_token(user_id), "/v1/me").await
    }

    /// The public metadata that the provider holds of a user.
    pub fn metadata(&self, user_id: &str) -> Value {
        self.emulator.user(user_id).unwrap()["public_metadata"].clone()
    }
}
