//! The watch and the schedule: what no event brought heals by itself.

mod depth;
mod faults;
mod healing;
mod lease;
mod schedule;

use crate::support::{
    AppProcess, Engine, TestApp, TestAppBuilder, TestDatabase, TestEmulator, now_seconds, until,
    until_true,
};
use serde_json::{Value, json};

const EVERY_SECOND: (&str, &str) = ("USERSYNC_WATCH_INTERVAL", "1s");

fn watching(
    database: impl Into<TestDatabase>,
    emulator: &TestEmulator,
    variables: &[(&str, &str)],
) -> TestAppBuilder {
    let builder = TestApp::builder(database).emulator(emulator).manual_events().no_write_back();
    builder.variables(&[EVERY_SECOND]).variables(variables)
}

/// Likewise started, with a row of each of so many new users; their ids.
async fn settled(engine: Engine, count: usize) -> (TestApp, Vec<String>) {
    let app = watching(engine, &TestEmulator::start(), &[]).start().await;
    let ids = app.emulator.sign_up_many(count);
    until_live(&app.database, count).await;
    turns_later(&app.database, 1).await;
    (app, ids)
}

fn turns_of(database: &TestDatabase, name: &str) -> usize {
    let sql = format!("SELECT CAST(fence AS text) AS value FROM leases WHERE name = '{name}'");
    let fence = database.query(&sql).pop().flatten();
    fence.map_or(0, |fence| fence.parse().unwrap())
}

fn turns(database: &TestDatabase) -> usize {
    turns_of(database, "watch")
}

/// Waits until so many more turns were begun: all but the last are over, then.
async fn turns_later(database: &TestDatabase, count: usize) {
    let goal = turns(database) + count;
    until_true("the watch goes on", async || turns(database) >= goal).await;
}

/// How many turns were begun, lists read and counts asked for, at a moment between two turns.
async fn cost_so_far(database: &TestDatabase, emulator: &TestEmulator) -> [u64; 3] {
    until("no turn is under way", async || {
        let turn = turns(database);
        let (listed, counted) = listed_and_counted(emulator);
        let idle = database.count("leases WHERE name = 'watch' AND leased_until IS NULL") == 1;
        let is_same = idle && turns(database) == turn;
        is_same.then(|| [u64::try_from(turn).unwrap(), listed, counted])
    })
    .await
}

/// The instant down from which all was read, where there is one.
fn watermark(database: &TestDatabase) -> Option<i64> {
    let sql = "SELECT CAST(state AS text) AS value FROM leases WHERE name = 'watch'";
    let state: Value = serde_json::from_str(&database.query(sql).pop()??).unwrap();
    state["watermark"].as_i64()
}

async fn until_live(database: &TestDatabase, count: usize) {
    database.until_count("users_live", count).await;
}

fn reconciles(database: &TestDatabase, states: &str) -> usize {
    database.count(&format!("jobs WHERE kind = 'reconcile' AND state IN ({states})"))
}

fn asked_for(database: &TestDatabase) -> usize {
    database.count("jobs WHERE kind = 'reconcile'")
}

fn listed_and_counted(emulator: &TestEmulator) -> (u64, u64) {
    let counts = emulator.counts();
    (counts.requests_of("list"), counts.requests_of("count"))
}

fn table(database: &TestDatabase) -> Vec<String> {
    database.dump_of(&["users: "])
}

async fn service(
    database: &TestDatabase,
    emulator: &TestEmulator,
    variables: &[(&str, &str)],
) -> AppProcess {
    watching(database, emulator, variables).start_process().await
}

async fn until_logged(service: &AppProcess, text: &str, times: usize) {
    until_true(text, async || service.log().matches(text).count() >= times).await;
}

/// Changes users at the provider as of so many seconds ago; no event tells.
fn change(emulator: &TestEmulator, ids: &[String], seconds_ago: i64) {
    let now = now_seconds();
    for (number, id) in ids.iter().enumerate() {
        let mut user = emulator.user(id).unwrap();
        user["updated_at"] = json!((now - seconds_ago) * 1_000 + i64::try_from(number).unwrap());
        assert!(emulator.put_user(&user));
    }
}
