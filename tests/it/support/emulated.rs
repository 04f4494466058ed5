//! A service whose provider is the emulator: events flow one way, calls the other.

use super::{Answer, Engine, TestApp, TestDatabase, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::ops::Deref;
use std::time::Duration;
use usersync::emulator::{Emulator, Retries, Settings};

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

/// The variables that make a service talk to an emulator.
pub fn provider_variables(emulator: &Emulator) -> Vec<(String, String)> {
    let credentials = emulator.credentials();
    [
        ("CLERK_API_URL", &credentials.api_url),
        ("CLERK_SECRET_KEY", &credentials.secret_key),
        ("CLERK_PUBLISHABLE_KEY", &credentials.publishable_key),
        ("CLERK_WEBHOOK_SIGNING_SECRET", &credentials.webhook_secret),
        ("USERSYNC_API_BUDGET", &"off".to_owned()),
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

    /// `GET /v1/me` of a user.
    pub async fn me(&self, user_id: &str) -> Answer {
        self.get_as(&self.emulator.session_token(user_id), "/v1/me").await
    }

    /// The public metadata that the provider holds of a user.
    pub fn metadata(&self, user_id: &str) -> Value {
        self.emulator.user(user_id).unwrap()["public_metadata"].clone()
    }
}
