//! The real service, in this process, on a random port.

use super::{Answer, Engine, SECRET, Sender, TestDatabase};
use serde_json::Value;
use std::ops::Deref;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use usersync::app::{App, AppError};
use usersync::config::{Config, ConfigSource, Requirement};

/// Tokens of every test's service.
pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests-0123456789";
pub const READ_TOKEN: &str = "read-token-of-the-tests-01234567890";

pub struct TestApp {
    pub sender: Sender,
    pub origin: String,
    pub metrics_origin: Option<String>,
    pub database: TestDatabase,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), AppError>>,
}

impl Deref for TestApp {
    type Target = Sender;

    fn deref(&self) -> &Sender {
        &self.sender
    }
}

impl TestApp {
    /// A service on a new database, ready.
    pub async fn start(engine: Engine) -> Self {
        Self::start_on(TestDatabase::new(engine), &[]).await
    }

    /// A service on a new database with these variables besides.
    pub async fn start_with(engine: Engine, variables: &[(&str, &str)]) -> Self {
        Self::start_on(TestDatabase::new(engine), variables).await
    }

    /// A service on the given database, ready.
    pub async fn start_on(database: TestDatabase, variables: &[(&str, &str)]) -> Self {
        let app = Self::launch(database, variables);
        app.until_ready().await;
        app
    }

    /// A service on the given database, which may not be ready yet.
    pub fn launch(database: TestDatabase, variables: &[(&str, &str)]) -> Self {
        let config = configuration(&database, variables);
        let app = App::build(config).unwrap();
        let origin = format!("http://{}", app.address());
        let metrics_origin = app.metrics_address().map(|address| format!("http://{address}"));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(app.run_until_stopped(async {
            stopped.await.ok();
        }));
        let sender =
            Sender { client: reqwest::Client::new(), url: format!("{origin}/webhooks/clerk") };
        Self { sender, origin, metrics_origin, database, stop: Some(stop), task }
    }

    /// Asks until the service says that it is ready.
    pub async fn until_ready(&self) {
        while self.get("/readyz").await.status != 200 {
            assert!(!self.task.is_finished(), "the service ended before it was ready");
            tokio::task::yield_now().await;
        }
    }

    /// Stops the service as a signal would, and gives the database back.
    pub async fn stop(mut self) -> TestDatabase {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        self.task.await.unwrap().unwrap();
        self.database
    }

    /// Waits for a service that ends by itself.
    pub async fn ended(self) -> Result<(), AppError> {
        self.task.await.unwrap()
    }

    /// `GET` without a token.
    pub async fn get(&self, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.origin));
        Answer::of(request.send().await.unwrap()).await
    }

    /// `GET` with a bearer token.
    pub async fn get_as(&self, token: &str, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.origin)).bearer_auth(token);
        Answer::of(request.send().await.unwrap()).await
    }

    /// The user as `GET /v1/users/{id}` shows it; panics where there is none.
    pub async fn user(&self, id: &str) -> Value {
        let answer = self.get_as(READ_TOKEN, &format!("/v1/users/{id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// The metrics' text.
    pub async fn metrics(&self) -> String {
        let origin = self.metrics_origin.as_ref().unwrap_or(&self.origin);
        self.client.get(format!("{origin}/metrics")).send().await.unwrap().text().await.unwrap()
    }
}

/// The configuration of a test's service.
pub fn configuration(database: &TestDatabase, variables: &[(&str, &str)]) -> Config {
    let mut source = ConfigSource::default();
    source.set("DATABASE_URL", database.url());
    source.set("USERSYNC_SCHEMA", database.schema.clone());
    source.set("USERSYNC_BIND", "127.0.0.1:0".into());
    source.set("CLERK_WEBHOOK_SIGNING_SECRET", SECRET.into());
    source.set("USERSYNC_ADMIN_TOKEN", ADMIN_TOKEN.into());
    source.set("USERSYNC_READ_TOKEN", READ_TOKEN.into());
    for (name, value) in variables {
        source.set(name, (*value).to_owned());
    }
    Config::load(&source, Requirement::SigningSecret).unwrap()
}
