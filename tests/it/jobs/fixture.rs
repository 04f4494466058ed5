//! What tests of jobs share: a provider with users, a gate before its lists, and a database.

use super::page_gate::PageGate;
use crate::support::{
    AppProcess, Engine, Program, RunOutput, Running, TestApp, TestAppBuilder, TestClient,
    TestDatabase, TestEmulator, until_true,
};
use clerk_emulator::Settings;
use serde_json::{Value, json};

pub(super) const PAGE: usize = 500;

/// Three full pages, and one in part.
pub(super) const USERS: usize = 3 * PAGE + 100;

pub(super) struct JobFixture {
    pub(super) database: TestDatabase,
    pub(super) emulator: TestEmulator,
    pub(super) pages: PageGate,
}

impl JobFixture {
    /// A provider with so many users, whose events are not delivered, and an empty database.
    pub(super) fn of(engine: Engine, users: usize) -> Self {
        Self::with(engine, Settings { users, ..Settings::default() })
    }

    pub(super) fn with(engine: Engine, settings: Settings) -> Self {
        let emulator = TestEmulator::with(settings);
        let pages = PageGate::of(&emulator);
        Self { database: TestDatabase::new(engine), emulator, pages }
    }

    pub(super) fn ids(&self) -> Vec<String> {
        let users = self.emulator.users();
        users.iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Likewise, and a replica in this process.
    pub(super) async fn with_replica(engine: Engine, users: usize) -> (Self, TestApp) {
        let fixture = Self::of(engine, users);
        let app = fixture.replica(&[]).await;
        (fixture, app)
    }

    pub(super) async fn until_second_page(&self) {
        self.pages.until_asked(2).await;
        self.until_seen(PAGE).await;
    }

    /// A replica in a process of its own, at a job whose first page is committed; and the job's id.
    pub(super) async fn service_at_second_page(&self) -> (AppProcess, String) {
        self.pages.open(1);
        let service = self.service().await;
        let id = service.start_backfill().await;
        self.until_second_page().await;
        (service, id)
    }

    /// The job came to its end under this lease, and brought every user in.
    pub(super) fn assert_done(&self, job: &Value, fence: &str) {
        assert_eq!(counted(job), all_new(USERS), "{job}");
        assert_eq!(self.job("fence").as_deref(), Some(fence));
        self.assert_complete();
    }

    /// Starts services and commands that reach the provider through the gate.
    pub(super) fn builder(&self) -> TestAppBuilder {
        let builder = TestApp::builder(&self.database).emulator(&self.emulator).no_write_back();
        builder.variables(&[("CLERK_API_URL", &self.pages.url)])
    }

    pub(super) async fn service(&self) -> AppProcess {
        self.builder().start_process().await
    }

    pub(super) async fn replicas(&self, count: usize, more: &[(&str, &str)]) -> Vec<TestApp> {
        self.builder().variables(more).start_many(count).await
    }

    pub(super) async fn replica(&self, more: &[(&str, &str)]) -> TestApp {
        self.replicas(1, more).await.remove(0)
    }

    pub(super) async fn run(&self, arguments: &[&'static str]) -> RunOutput {
        self.run_with(&[], arguments).await
    }

    /// The job that the command ran, to its end.
    pub(super) async fn run_backfill(&self) -> Value {
        let run = self.run(&["backfill", "--json"]).await;
        assert_eq!(run.status, Some(0), "{run:?}");
        serde_json::from_str(&run.stdout).unwrap()
    }

    pub(super) async fn run_with(
        &self,
        more: &[(&str, &str)],
        arguments: &[&'static str],
    ) -> RunOutput {
        self.builder().variables(more).program().run_aside(arguments).await
    }

    /// Starts the program; the directory that it runs in lasts as long as the first of both.
    pub(super) fn start(&self, arguments: &[&str]) -> (Program, Running) {
        let program = self.builder().program();
        let running = program.start(arguments);
        (program, running)
    }

    /// On PostgreSQL, waits until the service waits for the lock on the users.
    pub(super) async fn until_writing(&self) {
        if self.database.engine == Engine::Postgres {
            let schema = &self.database.schema;
            let waiting =
                format!("pg_locks WHERE NOT granted AND relation = '{schema}.users'::regclass");
            self.database.until_count(&waiting, 1).await;
        }
    }

    /// Whom the job saw last, by what is shown of its cursor.
    pub(super) async fn last_seen(&self, client: &TestClient, id: &str) -> String {
        let job = client.job(id).await;
        job["cursor"].as_str().unwrap().strip_prefix("scan:").unwrap().to_owned()
    }

    pub(super) fn jobs(&self, column: &str) -> Vec<Option<String>> {
        let sql = format!("SELECT CAST({column} AS text) AS value FROM jobs ORDER BY id");
        self.database.query(&sql)
    }

    pub(super) fn job(&self, column: &str) -> Option<String> {
        let mut values = self.jobs(column);
        assert_eq!(values.len(), 1);
        values.remove(0)
    }

    pub(super) fn seen(&self) -> u64 {
        let counters: Value = serde_json::from_str(&self.job("counters").unwrap()).unwrap();
        counters["seen"].as_u64().unwrap()
    }

    pub(super) async fn until_seen(&self, count: usize) {
        until_true("the job comes so far", async || self.seen() >= u64::try_from(count).unwrap())
            .await;
    }

    pub(super) fn rows(&self) -> Vec<String> {
        self.database.dump_of(&["users: "])
    }

    pub(super) fn standing(&self) -> Vec<String> {
        self.database.dump_of(&["users: ", "jobs: "])
    }

    /// The table holds every user of the provider, live, and nobody else.
    pub(super) fn assert_complete(&self) {
        let live = "SELECT external_id AS value FROM users WHERE status = 'active' ORDER BY 1";
        let mut rows = self.database.texts(live);
        let mut ids = self.ids();
        rows.sort_unstable();
        ids.sort_unstable();
        assert!(rows == ids, "{} rows, {} users", rows.len(), ids.len());
    }
}

pub(super) fn counted(job: &Value) -> Value {
    let mut counters = job["counters"].clone();
    counters.as_object_mut().unwrap().retain(|_, count| *count != 0);
    counters
}

pub(super) fn all_new(users: usize) -> Value {
    json!({"seen": users, "created": users, "missing": users})
}
