//! Reconcile and backfill: all users of the provider, compared with all rows.

mod clock_ahead;
mod concurrent_changes;
mod crash;
mod deadlocks;
mod dry_run;
mod healing;
mod mass_delete_limit;
mod orphans;
mod provider_outage;

use crate::support::{Engine, JOB_COUNTERS, TestApp, TestAppBuilder, TestDatabase, TestEmulator};
use serde_json::{Value, json};

fn many() -> usize {
    std::env::var("USERSYNC_TEST_USERS").map_or(2_500, |users| users.parse().unwrap())
}

/// A service and a provider with so many users, whose events are not delivered; nothing is
/// written back.
fn crowded(engine: Engine, users: usize) -> TestAppBuilder {
    let emulator = TestEmulator::with_users(users);
    TestApp::builder(engine).emulator(&emulator).manual_events().no_write_back()
}

async fn backfilled(engine: Engine, users: usize) -> TestApp {
    let app = crowded(engine, users).start().await;
    assert_eq!(backfill(&app).await["counters"]["created"], users);
    app
}

/// Waits until what a job noted for its own use is dropped, which follows its end.
async fn forgotten(app: &TestApp) {
    app.database.until_none("job_candidates").await;
}

async fn backfill(app: &TestApp) -> Value {
    app.run_job(json!({"kind": "backfill"})).await
}

async fn reconcile(app: &TestApp) -> Value {
    app.run_job(json!({"kind": "reconcile"})).await
}

async fn reconcile_at_any_price(app: &TestApp) -> Value {
    app.run_job(json!({"kind": "reconcile", "allow_mass_delete": true})).await
}

#[track_caller]
fn assert_counted(job: &Value, counted: &[(&str, usize)]) {
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["error"], Value::Null, "{job}");
    assert_counters(job, counted);
}

#[track_caller]
fn assert_counters(job: &Value, counted: &[(&str, usize)]) {
    for name in JOB_COUNTERS {
        let expected = counted.iter().find(|one| one.0 == name).map_or(0, |one| one.1);
        assert_eq!(job["counters"][name], expected, "{name} of {job}");
    }
}

/// The job failed, or waits for an operator's decision, and says so in these words.
#[track_caller]
fn assert_stopped(job: &Value, state: &str, words: &[&str]) {
    assert_eq!(job["state"], state, "{job}");
    let error = job["error"].as_str().unwrap_or_default();
    for word in words {
        assert!(error.contains(word), "{word:?} in {error:?}");
    }
}

/// Every row in every column, and on PostgreSQL by which transaction it was written.
fn rows(database: &TestDatabase) -> Vec<Option<String>> {
    let row = match database.engine {
        Engine::Postgres => "users::text || ' ' || users.xmin::text".to_owned(),
        Engine::Sqlite => {
            let columns = database.columns("users").into_iter();
            let quoted = columns.map(|(name, _)| format!("quote(\"{name}\")"));
            quoted.collect::<Vec<_>>().join(" || ',' || ")
        }
    };
    database.query(&format!("SELECT {row} AS value FROM users ORDER BY external_id"))
}

/// Live rows and users of the provider are the same, as of the same moment.
#[track_caller]
fn assert_agreed(app: &TestApp) {
    assert_eq!(live(&app.database), there(&app.emulator));
}

/// Live rows: the provider's id, when the user last changed there, and a name.
fn live(database: &TestDatabase) -> Vec<String> {
    let sql = "SELECT external_id || ' ' || version_updated_at || ' ' || \
               COALESCE(first_name, '-') AS value FROM users WHERE status <> 'deleted'";
    let mut rows = database.texts(sql);
    rows.sort_unstable();
    rows
}

fn there(emulator: &TestEmulator) -> Vec<String> {
    let line = |user: &Value| {
        let name = user["first_name"].as_str().unwrap_or("-");
        format!("{} {} {name}", user["id"].as_str().unwrap(), user["updated_at"])
    };
    let mut users: Vec<String> = emulator.users().iter().map(line).collect();
    users.sort_unstable();
    users
}

fn bring_back(app: &TestApp, users: &[Value]) {
    for user in users {
        assert!(app.emulator.put_user(user), "{user}");
    }
}

/// A time after the beginning of a job that begins at once, and no further ahead than is believed.
fn just_now(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "now() + interval '50 seconds'",
        Engine::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+50 seconds')",
    }
}

/// Live rows of users whom the provider does not know, made by SQL to be quick.
/// Their ids sort behind those that the service makes.
fn fill(database: &TestDatabase, name: &str, count: usize, last_fetched_at: &str) {
    let digest = match database.engine {
        Engine::Postgres => "decode(repeat('00', 32), 'hex')",
        Engine::Sqlite => "zeroblob(32)",
    };
    let then = "'2020-01-01T00:00:00.000Z'";
    database.execute(&format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) \
         INSERT INTO users (id, source, external_id, status, name, role, plan, version_updated_at, \
         version_projection, version_kind, version_seen_at, version_digest, last_fetched_at, \
         source_created_at, created_at, updated_at, synced_at) \
         SELECT 'x-{name}-' || n, 'clerk', 'user_{name}_' || n, 'active', 'User', 'user', 'free', 1, \
         1, 2, 1, {digest}, {last_fetched_at}, {then}, {then}, {then}, {then} FROM numbers"
    ));
}
