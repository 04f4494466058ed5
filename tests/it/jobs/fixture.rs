//! What tests of jobs play on: a provider with a crowd, the road to it, and a database.

use super::operator::Operator;
use super::page_gate::Pages;
use crate::support::{
    ADMIN_TOKEN, Engine, Finished, Program, Replica, Running, Service, TestDatabase,
    provider_variables, until,
};
use clerk_emulator::{Emulator, Settings};
use serde_json::{Value, json};
use std::time::Duration;

/// How many users a job asks for at once.
pub(super) const PAGE: usize = 500;

/// Three full pages, and one in part.
pub(super) const USERS: usize = 3 * PAGE + 100;

/// How long a job may take: a lease, and the work on a busy machine.
pub(super) const WITHIN: Duration = Duration::from_secs(120);

/// Nothing is written back, unless a test is about that.
const USUAL: (&str, &str) = ("USERSYNC_WRITE_BACK", "off");

pub(super) struct Scene {
    pub(super) database: TestDatabase,
    pub(super) emulator: Emulator,
    pub(super) pages: Pages,
}

impl Scene {
    /// A provider of so many users, of whom nobody was told, and an empty database.
    pub(super) fn of(engine: Engine, users: usize) -> Self {
        Self::with(engine, Settings { users, ..Settings::default() })
    }

    pub(super) fn with(engine: Engine, settings: Settings) -> Self {
        let emulator = Emulator::start(settings).unwrap();
        let pages = Pages::of(&emulator);
        Self { database: TestDatabase::new(engine), emulator, pages }
    }

    /// The provider's ids of all users, oldest first.
    pub(super) fn ids(&self) -> Vec<String> {
        let users = self.emulator.users();
        users.iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect()
    }

    fn variables(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut all = provider_variables(&self.emulator);
        let own = [
            ("CLERK_API_URL", self.pages.url.as_str()),
            ("USERSYNC_ADMIN_TOKEN", ADMIN_TOKEN),
            USUAL,
        ];
        let own = own.iter().chain(more);
        all.extend(own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        all
    }

    /// A replica as a process of its own.
    pub(super) async fn service(&self) -> Service {
        let all = self.variables(&[]);
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (&**name, &**value)).collect();
        Service::start_with(&self.database, &all).await
    }

    /// Replicas in this process, with these variables besides.
    pub(super) async fn replicas(&self, count: usize, more: &[(&str, &str)]) -> Vec<Replica> {
        let all = self.variables(more);
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (&**name, &**value)).collect();
        Replica::start_many_with(count, &self.database, &all).await
    }

    /// A replica in this process, as whoever asks it sees it.
    pub(super) async fn replica(&self, more: &[(&str, &str)]) -> (Replica, Operator) {
        let replica = self.replicas(1, more).await.remove(0);
        let operator = Operator::of(&replica.origin);
        (replica, operator)
    }

    /// The program, with these variables besides.
    pub(super) fn program(&self, more: &[(&str, &str)]) -> Program {
        let variables = self.variables(more);
        let program = Program::on(&self.database);
        variables.iter().fold(program, |program, (name, value)| program.with(name, value))
    }

    /// Runs the program to its end.
    pub(super) async fn run(&self, arguments: &[&'static str]) -> Finished {
        self.run_with(&[], arguments).await
    }

    /// Likewise, with these variables besides.
    pub(super) async fn run_with(
        &self,
        more: &[(&str, &str)],
        arguments: &[&'static str],
    ) -> Finished {
        let (program, arguments) = (self.program(more), arguments.to_vec());
        tokio::task::spawn_blocking(move || program.run(&arguments)).await.unwrap()
    }

    /// Starts the program; the directory that it runs in lasts as long as the first of both.
    pub(super) fn start(&self, arguments: &[&str]) -> (Program, Running) {
        let program = self.program(&[]);
        let running = program.start(arguments);
        (program, running)
    }

    /// A column of every job, oldest first.
    pub(super) fn jobs(&self, column: &str) -> Vec<Option<String>> {
        let sql = format!("SELECT CAST({column} AS text) AS value FROM jobs ORDER BY id");
        self.database.query(&sql)
    }

    /// Likewise of the one job there is.
    pub(super) fn job(&self, column: &str) -> Option<String> {
        let mut values = self.jobs(column);
        assert_eq!(values.len(), 1);
        values.remove(0)
    }

    /// How many users the one job has counted.
    pub(super) fn seen(&self) -> u64 {
        let counters: Value = serde_json::from_str(&self.job("counters").unwrap()).unwrap();
        counters["seen"].as_u64().unwrap()
    }

    /// Waits until the one job has counted so many users.
    pub(super) async fn until_seen(&self, count: usize) {
        let enough = async || (self.seen() >= u64::try_from(count).unwrap()).then_some(());
        until("the job comes so far", WITHIN, enough).await;
    }

    /// Every value of every user, as the table holds it.
    pub(super) fn rows(&self) -> Vec<String> {
        self.values_of("users: ")
    }

    /// Likewise, and of every job.
    pub(super) fn standing(&self) -> Vec<String> {
        [self.rows(), self.values_of("jobs: ")].concat()
    }

    fn values_of(&self, table: &str) -> Vec<String> {
        let dump = self.database.dump();
        let mut values: Vec<String> =
            dump.lines().filter(|line| line.starts_with(table)).map(str::to_owned).collect();
        values.sort_unstable();
        values
    }

    /// The table holds every user of the provider, live, and nobody else.
    pub(super) fn assert_complete(&self) {
        let live = "SELECT external_id AS value FROM users WHERE status = 'active' ORDER BY 1";
        let mut rows: Vec<String> = self.database.query(live).into_iter().flatten().collect();
        let mut ids = self.ids();
        rows.sort_unstable();
        ids.sort_unstable();
        assert!(rows == ids, "{} rows, {} users", rows.len(), ids.len());
    }
}

/// What a job has counted, without what it never met.
pub(super) fn counted(job: &Value) -> Value {
    let mut counters = job["counters"].clone();
    counters.as_object_mut().unwrap().retain(|_, count| *count != 0);
    counters
}

/// What a job of so many new users has counted.
pub(super) fn all_new(users: usize) -> Value {
    json!({"seen": users, "created": users, "missing": users})
}
