//! How every test starts the service: in this process, as a process of its own, several replicas
//! at once, or as a single run of the command line.

use super::{
    ADMIN_TOKEN, AppProcess, Program, Proxy, READ_TOKEN, SECRET, TestApp, TestDatabase,
    TestEmulator,
};
use usersync::config::{Config, ConfigSource, Requirement};
use usersync::store::Clock;

#[must_use]
pub struct TestAppBuilder {
    database: TestDatabase,
    emulator: TestEmulator,
    has_deliveries: bool,
    variables: Vec<(String, String)>,
    clock: Clock,
}

impl TestAppBuilder {
    pub fn on(database: TestDatabase) -> Self {
        let emulator = TestEmulator::default();
        Self {
            database,
            emulator,
            has_deliveries: false,
            variables: Vec::new(),
            clock: Clock::default(),
        }
    }

    /// With these variables besides; of two with one name the later counts.
    pub fn variables(mut self, variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.variables.extend(variables.iter().map(owned));
        self
    }

    /// On a machine with this clock.
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    pub fn emulated(self) -> Self {
        self.emulator(&TestEmulator::start())
    }

    /// With this emulator as its provider, which delivers its events to the service once that is
    /// started by [`start`](Self::start). It takes a test's own events too.
    pub fn emulator(mut self, emulator: &TestEmulator) -> Self {
        self.variables.extend(emulator.variables());
        self.emulator = emulator.clone();
        self.has_deliveries = true;
        self
    }

    /// With an emulator, a new one unless it is given, that delivers nothing: the events are the
    /// test's. Session tokens are checked by a configured key, whatever the API answers.
    pub fn manual_events(self) -> Self {
        let mut this = if self.emulator.is_running() { self } else { self.emulated() };
        this.has_deliveries = false;
        let key = this.emulator.credentials().jwt_key.clone();
        this.variables(&[("CLERK_JWT_KEY", &key)])
    }

    pub fn no_write_back(self) -> Self {
        self.variables(&[NO_WRITE_BACK])
    }

    pub fn behind(self, proxy: &Proxy) -> Self {
        self.variables(&[("CLERK_API_URL", &proxy.url)])
    }

    pub async fn start(self) -> TestApp {
        let app = self.launch();
        app.until_ready().await;
        app
    }

    /// Likewise, with a new proxy between the service and its emulator, a new one unless it is
    /// given.
    pub async fn start_behind_proxy(self) -> (TestApp, Proxy) {
        let this = if self.emulator.is_running() { self } else { self.emulated() };
        let proxy = Proxy::to(&this.emulator);
        (this.behind(&proxy).start().await, proxy)
    }

    /// Starts the service in this process; it may not be ready yet.
    pub fn launch(self) -> TestApp {
        let config = configuration(&self.database, &self.borrowed());
        let app = TestApp::run(config, self.clock, self.database, self.emulator.clone());
        if self.has_deliveries {
            self.emulator.deliver_to(Some(app.url.clone()));
        }
        app
    }

    /// Starts replicas in this process at the same moment, so that all of them find the database
    /// as it is, and waits until all are ready. Nothing is delivered to them.
    pub async fn start_many(self, count: usize) -> Vec<TestApp> {
        let launch = || {
            let config = configuration(&self.database, &self.borrowed());
            let (clock, database) = (self.clock.clone(), self.database.clone());
            TestApp::run(config, clock, database, self.emulator.clone())
        };
        let replicas: Vec<TestApp> = (0..count).map(|_| launch()).collect();
        for replica in &replicas {
            replica.until_ready().await;
        }
        replicas
    }

    /// Starts the service as a process of its own; it may not be ready yet.
    pub fn launch_process(self) -> AppProcess {
        AppProcess::spawn(&self.database, &self.borrowed())
    }

    /// Likewise, ready. Nothing is delivered to it.
    pub async fn start_process(self) -> AppProcess {
        let mut process = self.launch_process();
        process.until_ready().await;
        process
    }

    pub fn program(&self) -> Program {
        let program = Program::on(&self.database).with("USERSYNC_ADMIN_TOKEN", ADMIN_TOKEN);
        self.variables.iter().fold(program, |program, (name, value)| program.with(name, value))
    }

    fn borrowed(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

pub const NO_WRITE_BACK: (&str, &str) = ("USERSYNC_WRITE_BACK", "off");

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
