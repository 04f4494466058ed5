//! The real service, in this process, on a random port.

use super::{Engine, TestAppBuilder, TestClient, TestDatabase, TestEmulator, until_true};
use std::cell::RefCell;
use std::ops::Deref;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use usersync::app::{App, AppError};
use usersync::config::Config;
use usersync::store::Clock;

pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests-0123456789";
pub const READ_TOKEN: &str = "read-token-of-the-tests-01234567890";

type Service = JoinHandle<Result<(), AppError>>;

pub struct TestApp {
    pub client: TestClient,
    pub metrics_origin: Option<String>,
    pub database: TestDatabase,
    pub emulator: TestEmulator,
    stop: Option<oneshot::Sender<()>>,
    task: Option<Service>,
}

impl Deref for TestApp {
    type Target = TestClient;

    fn deref(&self) -> &TestClient {
        &self.client
    }
}

impl TestApp {
    /// A service without a provider's API on a new database, ready.
    pub async fn start(engine: Engine) -> Self {
        Self::builder(engine).start().await
    }

    /// On a new database of an engine, or on one that is there.
    pub fn builder(database: impl Into<TestDatabase>) -> TestAppBuilder {
        TestAppBuilder::on(database.into())
    }

    pub(super) fn run(
        config: Config,
        clock: Clock,
        database: TestDatabase,
        emulator: TestEmulator,
    ) -> Self {
        let app = App::build_with_clock(config, clock).unwrap();
        let client = TestClient::of(format!("http://{}", app.address()));
        let metrics_origin = app.metrics_address().map(|address| format!("http://{address}"));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(app.run_until_stopped(async {
            stopped.await.ok();
        }));
        Self { client, metrics_origin, database, emulator, stop: Some(stop), task: Some(task) }
    }

    /// Another replica on the same database with the same provider, ready.
    pub async fn replica(&self, variables: &[(&str, &str)]) -> Self {
        let builder = Self::builder(&self.database).emulator(&self.emulator);
        builder.variables(variables).start_many(1).await.remove(0)
    }

    pub async fn until_ready(&self) {
        until_true("the service is ready", async || {
            assert!(!self.has_ended(), "the service ended before it was ready");
            self.get("/readyz").await.status == 200
        })
        .await;
    }

    fn has_ended(&self) -> bool {
        self.task.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Stops the service as a signal would, and checks that it ends well; returns what is left.
    pub async fn stop(mut self) -> (TestDatabase, TestEmulator) {
        self.stop.take().unwrap().send(()).ok();
        let (database, emulator) = (self.database.clone(), self.emulator.clone());
        self.ended().await.unwrap();
        (database, emulator)
    }

    pub async fn ended(mut self) -> Result<(), AppError> {
        self.task.take().unwrap().await.unwrap()
    }

    pub async fn metrics(&self) -> String {
        let origin = self.metrics_origin.as_ref().unwrap_or(&self.origin);
        self.http.get(format!("{origin}/metrics")).send().await.unwrap().text().await.unwrap()
    }

    /// The whole part of a sample, named with its labels as the text writes them.
    pub async fn metric(&self, sample: &str) -> i64 {
        sample_of(&self.metrics().await, sample)
    }
}

thread_local! {
    /// Services that stop, with the provider that they may still call.
    static STOPPING: RefCell<Vec<(Service, TestEmulator)>> =
        const { RefCell::new(Vec::new()) };
}

/// A service that is dropped gets the signal to stop; [`all_stopped`] waits for its end, which
/// closes its connections.
impl Drop for TestApp {
    fn drop(&mut self) {
        let is_fine = std::thread::panicking() || !self.has_ended();
        assert!(is_fine, "the service ended while the test went on");
        let stop = self.stop.take().map(|stop| stop.send(()));
        if let (Some(Ok(())), Some(task)) = (stop, self.task.take()) {
            STOPPING.with_borrow_mut(|stopping| stopping.push((task, self.emulator.clone())));
        }
    }
}

/// Waits until every service of this test that was dropped has stopped, and checks that it ended well.
pub async fn all_stopped() {
    for (task, _emulator) in STOPPING.take() {
        task.await.unwrap().unwrap();
    }
}

/// Runs a test of one engine, as `both_engines!` runs those of both.
pub async fn run(test: impl Future<Output = ()>) {
    test.await;
    all_stopped().await;
}

/// The whole part of a sample in the text of the metrics.
pub(super) fn sample_of(text: &str, sample: &str) -> i64 {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("no sample {sample} in\n{text}"));
    value.split('.').next().unwrap().parse().unwrap()
}
