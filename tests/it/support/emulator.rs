//! The provider of a test: the emulator, and what a service that has one can be asked about it.

use super::{SECRET, TestApp, TestDatabase, configuration, until_true};
use clerk_emulator::{Emulator, Retries, Settings};
use reqwest::Method;
use serde_json::{Value, json};
use std::ops::Deref;
use std::sync::Arc;
use usersync::domain::{AbsenceBaseline, Timestamp};
use usersync::store::Store;
use usersync::store::absences::{Absence, AbsenceVerdict};

/// An emulator shared by a test and its services, or none.
#[derive(Clone, Default)]
pub struct TestEmulator(Option<Arc<Emulator>>);

impl Deref for TestEmulator {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        self.0.as_ref().expect("this service has no provider")
    }
}

impl TestEmulator {
    /// An emulator without users, which delivers nowhere yet.
    pub fn start() -> Self {
        Self::with(Settings { retries: Retries::short(), ..Settings::default() })
    }

    pub fn with_users(users: usize) -> Self {
        Self::with(Settings { users, ..Settings::default() })
    }

    pub fn of_instance(instance_id: &str, users: usize) -> Self {
        Self::with(Settings { instance_id: instance_id.into(), users, ..Settings::default() })
    }

    pub fn with(settings: Settings) -> Self {
        Self(Some(Arc::new(Emulator::start(settings).unwrap())))
    }

    pub(super) fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// The variables that make a service talk to this emulator. It takes a test's own events too,
    /// and heals nothing that a test did not ask for.
    pub fn variables(&self) -> Vec<(String, String)> {
        let credentials = self.credentials();
        let webhook_secrets = format!("{} {SECRET}", credentials.webhook_secret);
        [
            ("CLERK_API_URL", credentials.api_url.as_str()),
            ("CLERK_SECRET_KEY", &credentials.secret_key),
            ("CLERK_PUBLISHABLE_KEY", &credentials.publishable_key),
            ("CLERK_WEBHOOK_SIGNING_SECRET", &webhook_secrets),
            ("USERSYNC_API_BUDGET", "off"),
            ("USERSYNC_WATCH_INTERVAL", "off"),
            ("USERSYNC_RECONCILE_SCHEDULE", "off"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    pub fn sign_up(&self, name: &str) -> String {
        let address = format!("{}@example.org", name.to_lowercase());
        let user = self.create_user(json!({"first_name": name, "email_address": [address]}));
        user["id"].as_str().unwrap_or_else(|| panic!("refused: {user}")).to_owned()
    }

    pub fn sign_up_many(&self, count: usize) -> Vec<String> {
        let issued = self.issued_ids().len();
        (issued..issued + count).map(|number| self.sign_up(&format!("User{number}"))).collect()
    }
}

impl TestApp {
    pub fn sign_up(&self, name: &str) -> String {
        self.emulator.sign_up(name)
    }

    /// Deletes users at the provider, without an event; returns them as they were.
    pub fn lose(&self, ids: &[String]) -> Vec<Value> {
        let users = ids.iter().map(|id| self.emulator.user(id).unwrap()).collect();
        for id in ids {
            assert!(self.emulator.delete_user(id));
        }
        users
    }

    pub fn emptied(&self) -> usize {
        self.database.count("users WHERE deletion_kind = 'absent'")
    }

    pub async fn quiet(&self) {
        self.emulator.wait_until_idle().await;
        self.database.until_none("write_backs WHERE state = 'due'").await;
        self.emulator.wait_until_idle().await;
    }

    pub fn event_of(&self, id: &str) -> Value {
        super::event_of(&self.emulator.user(id).unwrap())
    }

    /// A resync, or with `take_over` the settling of conflicts; the outcomes.
    pub async fn resync_or_take_over(&self, user_ids: &[String], take_over: bool) -> Vec<Value> {
        let body = json!({"user_ids": user_ids, "take_over": take_over});
        self.ask(Method::POST, "/v1/reconcile", Some(body)).await.data().to_vec()
    }

    /// What stands in `write_backs`, a line a user: its id and state.
    pub fn outbox(&self) -> Vec<String> {
        self.database
            .texts("SELECT external_id || ' ' || state AS value FROM write_backs ORDER BY 1")
    }

    /// Override and provider's value of a user's role, then of its plan.
    pub fn override_and_source(&self, user_id: &str) -> String {
        let columns = ["set_role", "source_role", "set_plan", "source_plan"];
        let columns = columns.map(|column| format!("COALESCE({column}, '-')")).join(" || ' ' || ");
        self.column(user_id, &columns).unwrap()
    }

    pub fn column(&self, id: &str, column: &str) -> Option<String> {
        let sql =
            format!("SELECT CAST({column} AS text) AS value FROM users WHERE external_id = '{id}'");
        self.database.query(&sql).remove(0)
    }

    /// How many calls were made that write metadata, and how many that fetch a user; without the
    /// one fetch that verifies the key of a new database.
    pub fn calls(&self) -> (u64, u64) {
        let counts = self.emulator.counts();
        let proofs = u64::try_from(self.database.count("pinned_instances")).unwrap();
        (counts.requests_of("metadata_patch"), counts.requests_of("get") - proofs)
    }

    /// Records absences of users whose second look-up is so many milliseconds from now.
    pub async fn empty_absent(&self, ids: &[String], sent_in: i64) {
        let config = configuration(&self.database, &[]);
        let now = jiff::Timestamp::now();
        let absence = |id: &String| {
            let updated_at_ms = self.column(id, "version_updated_at").unwrap().parse().unwrap();
            let baseline = AbsenceBaseline { updated_at_ms, projection: 1 };
            let sent_at_ms = now.as_millisecond() + sent_in;
            Absence { external_id: id.clone(), baseline, sent_at_ms }
        };
        let (store, absences) = (Store::new(&config.database), ids.iter().map(absence).collect());
        let now = Timestamp::from(now);
        let verdict = store.empty_absent(config.row_defaults(), now, absences).await.unwrap();
        let AbsenceVerdict::Emptied(mut emptied) = verdict else {
            panic!("held back");
        };
        let mut expected = ids.to_vec();
        emptied.sort_unstable();
        expected.sort_unstable();
        assert_eq!(emptied, expected);
    }

    /// The same database in a service with another provider, and nothing written back.
    pub async fn moved_to(self, emulator: &TestEmulator) -> Self {
        let (database, _) = self.stop().await;
        let builder = Self::builder(database).emulator(emulator);
        builder.manual_events().no_write_back().start().await
    }

    pub async fn me(&self, user_id: &str) -> super::Answer {
        self.get_as(&self.emulator.session_token(user_id), "/v1/me").await
    }

    pub fn metadata(&self, user_id: &str) -> Value {
        self.emulator.user(user_id).unwrap()["public_metadata"].clone()
    }
}

impl TestDatabase {
    /// Waits until so many rows are there: `from` is a table, with a condition or without.
    pub async fn until_count(&self, from: &str, count: usize) {
        let what = format!("there are {count} {from}");
        until_true(&what, async || self.count(from) == count).await;
    }

    pub async fn until_none(&self, from: &str) {
        self.until_count(from, 0).await;
    }

    pub fn texts(&self, sql: &str) -> Vec<String> {
        self.query(sql).into_iter().flatten().collect()
    }
}
