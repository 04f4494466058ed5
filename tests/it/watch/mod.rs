//! The watch and the schedule: what no event told heals by itself.
//!
//! * [`healing`]: lost creates and updates by the watch, lost deletes by a reconcile;
//! * [`depth`]: how far is read, and what that costs;
//! * [`lease`]: one replica at a time, and how often;
//! * [`faults`]: what goes wrong harms nothing, and is said;
//! * [`schedule`]: a reconcile when one is due.

mod depth;
mod faults;
mod healing;
mod lease;
mod schedule;

use crate::support::{Emulated, Service, TestDatabase, now_seconds, provider_variables, until};
use clerk_emulator::Emulator;
use serde_json::{Value, json};
use std::time::Duration;

/// How long something that takes some intervals may take on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

const EVERY_SECOND: (&str, &str) = ("USERSYNC_WATCH_INTERVAL", "1s");

/// How many turns of this name were begun.
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
    until("the watch goes on", WITHIN, async || (turns(database) >= goal).then_some(())).await;
}

/// The instant down from which all was read, where there is one.
fn watermark(database: &TestDatabase) -> Option<i64> {
    let sql = "SELECT CAST(state AS text) AS value FROM leases WHERE name = 'watch'";
    let memory: Value = serde_json::from_str(&database.query(sql).pop()??).unwrap();
    memory["watermark"].as_i64()
}

/// Waits until so many rows hold a user.
async fn until_live(database: &TestDatabase, count: usize) {
    until("the rows are there", WITHIN, async || {
        (database.count("users_live") == count).then_some(())
    })
    .await;
}

/// How many reconciles there are in one of these states.
fn reconciles(database: &TestDatabase, states: &str) -> usize {
    database.count(&format!("jobs WHERE kind = 'reconcile' AND state IN ({states})"))
}

/// How many reconciles were ever asked for.
fn asked_for(database: &TestDatabase) -> usize {
    database.count("jobs WHERE kind = 'reconcile'")
}

/// How often users were listed, and counted.
fn listed_and_counted(emulator: &Emulator) -> (u64, u64) {
    let counts = emulator.counts();
    (counts.requests_of("list"), counts.requests_of("count"))
}

/// What every row holds.
fn table(database: &TestDatabase) -> Vec<String> {
    let dump = database.dump();
    dump.lines().filter(|line| line.starts_with("users:")).map(str::to_owned).collect()
}

/// Signs up users of whom nobody is told; their ids.
fn sign_up_some(both: &Emulated, count: usize) -> Vec<String> {
    let issued = both.emulator.issued_ids().len();
    (issued..issued + count).map(|number| both.sign_up(&format!("User{number}"))).collect()
}

/// The service as a process of its own, with these variables besides; it writes nothing back.
async fn service(
    database: &TestDatabase,
    emulator: &Emulator,
    variables: &[(&str, &str)],
) -> Service {
    let own = provider_variables(emulator);
    let own = own.iter().map(|(name, value)| (&**name, &**value));
    let all: Vec<(&str, &str)> =
        own.chain([("USERSYNC_WRITE_BACK", "off")]).chain(variables.iter().copied()).collect();
    Service::start_with(database, &all).await
}

/// Waits until the service has logged this text so often.
async fn until_logged(service: &Service, text: &str, times: usize) {
    let look = async || (service.log().matches(text).count() >= times).then_some(());
    until(text, WITHIN, look).await;
}

/// Has users at the provider changed as of so many seconds ago; nobody is told.
fn change(emulator: &Emulator, ids: &[String], seconds_ago: i64) {
    let now = now_seconds();
    for (number, id) in ids.iter().enumerate() {
        let mut user = emulator.user(id).unwrap();
        user["updated_at"] = json!((now - seconds_ago) * 1_000 + i64::try_from(number).unwrap());
        assert!(emulator.put_user(&user));
    }
}
