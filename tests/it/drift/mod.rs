//! Drift: in what table and provider differ is found and told, and left as it is.
//!
//! * [`kinds`]: every difference, by its kind and the users' ids;
//! * [`grace`]: what is young, or was healed meanwhile, does not count;
//! * [`read_only`]: a search changes nothing;
//! * [`report`]: who is told, and what.

mod grace;
mod kinds;
mod read_only;
mod report;

use crate::support::{
    ADMIN_TOKEN, Emulated, Engine, Finished, NO_WRITE_BACK, Program, now_seconds,
    provider_variables, until,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a job may take on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

/// Every difference: as a report names it, and as the program and the metrics do.
const DIFFERENCES: [[&str; 2]; 5] = [
    ["missing", "missing"],
    ["stale", "stale"],
    ["extra", "extra"],
    ["conflicts", "conflict"],
    ["unerased", "unerased"],
];

/// Signs up a user as of so many minutes ago, and tells nobody; returns the id.
fn sign_up(both: &Emulated, minutes_ago: i64, fields: Value) -> String {
    let mut user = both.emulator.create_user(fields);
    let number = i64::try_from(both.emulator.issued_ids().len()).unwrap();
    let at = (now_seconds() - 60 * minutes_ago) * 1_000 + number;
    (user["created_at"], user["updated_at"]) = (json!(at), json!(at));
    assert!(both.emulator.put_user(&user), "{user}");
    user["id"].as_str().unwrap().to_owned()
}

/// Changes a user as of so many minutes ago, and tells nobody.
fn change(both: &Emulated, minutes_ago: i64, id: &str, field: &str, value: Value) {
    let mut user = both.emulator.user(id).unwrap();
    user[field] = value;
    user["updated_at"] = json!((now_seconds() - 60 * minutes_ago) * 1_000);
    assert!(both.emulator.put_user(&user), "{user}");
}

/// A service that knows all users of its provider, who have not changed for an hour; their ids.
async fn in_step(engine: Engine, count: usize) -> (Emulated, Vec<String>) {
    let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
    let ids = (0..count).map(|number| sign_up(&both, 60, named(number))).collect();
    assert_eq!(job(&both, "backfill").await["state"], "succeeded");
    assert_eq!(both.database.count("users_live"), count);
    (both, ids)
}

/// What a user says who has a name of its own.
fn named(number: usize) -> Value {
    json!({"first_name": format!("Name{number}")})
}

/// Asks the service for a job; returns its address.
async fn ask_for(both: &Emulated, kind: &str) -> String {
    let wanted = json!({"kind": kind});
    let answer = both.ask(Method::POST, "/v1/jobs", ADMIN_TOKEN, Some(wanted)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.headers["location"].to_str().unwrap().to_owned()
}

/// The job of an address, once it has ended.
async fn ended(both: &Emulated, location: &str) -> Value {
    until("the job has ended", WITHIN, async || {
        let job = both.get_as(ADMIN_TOKEN, location).await.body;
        (!job["finished_at"].is_null()).then_some(job)
    })
    .await
}

/// Has the service do a job; returns it as it ended.
async fn job(both: &Emulated, kind: &str) -> Value {
    let location = ask_for(both, kind).await;
    ended(both, &location).await
}

/// Runs `usersync drift` on the database of the service.
async fn drift(both: &Emulated, arguments: &'static [&'static str]) -> Finished {
    let mut program = Program::on(&both.database);
    for (name, value) in provider_variables(&both.emulator) {
        program = program.with(&name, &value);
    }
    let run = move || program.run(&[&["drift"], arguments].concat());
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// The last report.
async fn reported(both: &Emulated) -> Value {
    let answer = both.get_as(ADMIN_TOKEN, "/v1/drift").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The report says of each difference exactly who is expected.
fn assert_reported(report: &Value, expected: &[(&str, &[&String])]) {
    for [name, _] in DIFFERENCES {
        let expected = expected.iter().filter(|(difference, _)| *difference == name);
        let mut ids: Vec<&String> = expected.flat_map(|(_, ids)| ids.iter().copied()).collect();
        ids.sort();
        assert_eq!(report[name], json!({"count": ids.len(), "ids": ids}), "{name} in {report}");
    }
}

/// Searches for drift, and finds exactly who is expected: the program, its exit status, the last
/// report and the metrics say so.
async fn assert_found(both: &Emulated, expected: &[(&str, &[&String])]) {
    let run = drift(both, &[]).await;
    assert_eq!(run.status, Some(i32::from(!expected.is_empty())), "{run:?}");
    let differs = run.stderr.contains("table and provider differ");
    assert_eq!(differs, !expected.is_empty(), "{run:?}");
    let report = reported(both).await;
    assert_reported(&report, expected);
    for [name, label] in DIFFERENCES {
        let count = report[name]["count"].as_i64().unwrap();
        assert!(run.stdout.contains(&format!("{count:>10} {label}: ")), "{label}: {run:?}");
        let sample = format!("usersync_drift{{drift_kind=\"{label}\"}}");
        assert_eq!(both.metric(&sample).await, count, "{sample}");
        for id in report[name]["ids"].as_array().unwrap() {
            assert!(run.stdout.contains(id.as_str().unwrap()), "{run:?}");
        }
    }
}
