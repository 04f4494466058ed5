//! Drift: differences between table and provider are reported, and left as they are.

mod contradictions;
mod grace;
mod kinds;
mod report;

use crate::support::{
    ADMIN_TOKEN, Blocked, Engine, Proxy, RunOutput, TestApp, now_seconds, until_true,
};
use serde_json::{Value, json};

/// Every kind: as a report names it, and as the program and the metrics do.
const DIFFERENCES: [[&str; 2]; 6] = [
    ["missing", "missing"],
    ["stale", "stale"],
    ["newer", "newer"],
    ["extra", "extra"],
    ["conflicts", "conflict"],
    ["unerased", "unerased"],
];

/// Signs up a user as of so many minutes ago, without an event; returns the id.
fn sign_up(app: &TestApp, minutes_ago: i64, fields: Value) -> String {
    let mut user = app.emulator.create_user(fields);
    let number = i64::try_from(app.emulator.issued_ids().len()).unwrap();
    let at = (now_seconds() - 60 * minutes_ago) * 1_000 + number;
    (user["created_at"], user["updated_at"]) = (json!(at), json!(at));
    assert!(app.emulator.put_user(&user), "{user}");
    user["id"].as_str().unwrap().to_owned()
}

/// Changes a user as of so many minutes ago, without an event.
fn change(app: &TestApp, minutes_ago: i64, id: &str, field: &str, value: Value) {
    let mut user = app.emulator.user(id).unwrap();
    user[field] = value;
    user["updated_at"] = json!((now_seconds() - 60 * minutes_ago) * 1_000);
    assert!(app.emulator.put_user(&user), "{user}");
}

/// Changes a user's row behind the service's back.
fn set(app: &TestApp, id: &str, what: &str) {
    app.database.execute(&format!("UPDATE users SET {what} WHERE external_id = '{id}'"));
}

/// A service that knows all users of its provider, who have not changed for an hour; their ids.
async fn in_step(engine: Engine, count: usize) -> (TestApp, Vec<String>) {
    let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
    let ids = fill(&app, count).await;
    (app, ids)
}

async fn in_step_behind_proxy(engine: Engine, count: usize) -> (TestApp, Proxy, Vec<String>) {
    let builder = TestApp::builder(engine).manual_events().no_write_back();
    let (app, proxy) = builder.start_behind_proxy().await;
    let ids = fill(&app, count).await;
    (app, proxy, ids)
}

async fn fill(app: &TestApp, count: usize) -> Vec<String> {
    let ids = (0..count).map(|number| sign_up(app, 60, named(number))).collect();
    assert_eq!(job(app, "backfill").await["state"], "succeeded");
    assert_eq!(app.database.count("users_live"), count);
    ids
}

/// Starts a search that waits for the second page, once it has compared so many users.
async fn held_search(app: &TestApp, proxy: &Proxy, seen: usize) -> String {
    proxy.block(Blocked::LaterPages);
    let id = app.start_job(json!({"kind": "drift"})).await;
    until_true("the page is compared", async || app.job(&id).await["counters"]["seen"] == seen)
        .await;
    id
}

fn named(number: usize) -> Value {
    json!({"first_name": format!("Name{number}")})
}

async fn job(app: &TestApp, kind: &str) -> Value {
    app.run_job(json!({"kind": kind})).await
}

async fn drift(app: &TestApp, arguments: &'static [&'static str]) -> RunOutput {
    let program = TestApp::builder(&app.database).emulator(&app.emulator).program();
    program.run_aside(&[&["drift"], arguments].concat()).await
}

async fn reported(app: &TestApp) -> Value {
    let answer = app.get_as(ADMIN_TOKEN, "/v1/drift").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn assert_reported(report: &Value, expected: &[(&str, &[&String])]) {
    for [name, _] in DIFFERENCES {
        let expected = expected.iter().filter(|(difference, _)| *difference == name);
        let mut ids: Vec<&String> = expected.flat_map(|(_, ids)| ids.iter().copied()).collect();
        ids.sort();
        assert_eq!(report[name], json!({"count": ids.len(), "ids": ids}), "{name} in {report}");
    }
}

/// Searches for drift, and finds exactly these users: the program, its exit status, the last
/// report and the metrics say so.
async fn assert_found(app: &TestApp, expected: &[(&str, &[&String])]) {
    let run = drift(app, &[]).await;
    assert_eq!(run.status, Some(i32::from(!expected.is_empty())), "{run:?}");
    let differs = run.stderr.contains("table and provider differ");
    assert_eq!(differs, !expected.is_empty(), "{run:?}");
    let report = reported(app).await;
    assert_reported(&report, expected);
    for [name, label] in DIFFERENCES {
        let count = report[name]["count"].as_i64().unwrap();
        assert!(run.stdout.contains(&format!("{count:>10} {label}: ")), "{label}: {run:?}");
        let sample = format!("usersync_drift{{drift_kind=\"{label}\"}}");
        assert_eq!(app.metric(&sample).await, count, "{sample}");
        for id in report[name]["ids"].as_array().unwrap() {
            assert!(run.stdout.contains(id.as_str().unwrap()), "{run:?}");
        }
    }
}
