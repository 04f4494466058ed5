//! Rows that claim something else than the provider shows, whatever their version says: they are
//! reported, and made to follow.

use super::{assert_found, change, in_step, job, set};
use crate::support::{Engine, TestApp};
use serde_json::{Value, json};

/// What others may do to a row: by SQL, by a restored part of a backup, by a clock that was wrong.
/// The kind as which it is reported.
const CONTRADICTIONS: [(&str, &str); 9] = [
    ("email = 'mallory@example.org', email_lower = 'mallory@example.org'", "stale"),
    ("source_role = 'admin', role = 'admin'", "stale"),
    ("status = 'banned'", "stale"),
    ("name = NULL", "stale"),
    ("public_metadata = '{\"role\":\"user\"}'", "stale"),
    ("source_created_at = '2020-01-01T00:00:00.000Z'", "stale"),
    // Changes that the provider does not know of.
    ("first_name = 'Augusta', version_updated_at = version_updated_at + 1000", "newer"),
    ("version_updated_at = 253402207200000", "newer"),
    ("version_seen_at = version_seen_at + 2592000000", "newer"),
];

/// Changes a row as of long ago.
fn contradict(app: &TestApp, id: &str, what: &str) {
    set(app, id, &format!("{what}, synced_at = '2020-01-01T00:00:00.000Z'"));
}

/// The row as it is shown, apart from when it was written.
async fn shown(app: &TestApp, id: &str) -> Value {
    let mut user = app.user(id).await;
    for local in ["updated_at", "synced_at"] {
        user[local] = Value::Null;
    }
    user
}

/// The contradictions of a table, one a user, and what `heal` makes of each.
async fn are_healed(engine: Engine, heal: impl AsyncFn(&TestApp, &[String])) {
    let (app, ids) = in_step(engine, CONTRADICTIONS.len() + 1).await;
    let mut before = Vec::new();
    for id in &ids {
        before.push(shown(&app, id).await);
    }
    for (id, (what, _)) in ids.iter().zip(CONTRADICTIONS) {
        contradict(&app, id, what);
    }
    let of_kind = |kind| {
        let these = ids.iter().zip(CONTRADICTIONS).filter(move |(_, (_, own))| *own == kind);
        these.map(|(id, _)| id).collect::<Vec<_>>()
    };
    let (stale, newer) = (of_kind("stale"), of_kind("newer"));
    assert_found(&app, &[("stale", &stale), ("newer", &newer)]).await;
    heal(&app, &ids).await;
    assert_found(&app, &[]).await;
    for (id, before) in ids.iter().zip(before) {
        assert_eq!(shown(&app, id).await, before);
    }
}

both_engines! {
    async fn a_reconcile_makes_contradicting_rows_follow(engine) {
        are_healed(engine, async |app, _| {
            let reconciled = job(app, "reconcile").await;
            // What only bears a wrong time is no other row for it.
            assert_eq!(reconciled["counters"]["updated"], 8, "{reconciled}");
            assert_eq!(reconciled["counters"]["stale"], 8, "{reconciled}");
        }).await;
    }

    async fn a_resync_makes_contradicting_rows_follow_and_says_so(engine) {
        are_healed(engine, async |app, ids| {
            for (id, (what, _)) in ids.iter().zip(CONTRADICTIONS) {
                let expected = if what.starts_with("version_seen_at") { "unchanged" } else { "updated" };
                assert_eq!(app.resync_one(id).await.0, expected, "{what}");
            }
        }).await;
    }

    async fn a_row_that_an_event_has_just_made_newer_is_left_alone(engine) {
        let (app, ids) = in_step(engine, 2).await;
        let mut event = app.event_of(&ids[0]);
        event["data"]["updated_at"] = json!(event["data"]["updated_at"].as_i64().unwrap() + 1_000);
        event["data"]["first_name"] = json!("Augusta");
        assert_eq!(app.send(&event).await.outcome(), "applied");
        assert_found(&app, &[]).await;
        assert_eq!(job(&app, "reconcile").await["counters"]["unchanged"], 2);
        // It holds something newer than was fetched.
        assert_eq!(app.resync_one(&ids[0]).await.0, "stale");
        assert_eq!(app.column(&ids[0], "first_name").as_deref(), Some("Augusta"));
    }

    async fn a_user_whom_the_provider_dates_ahead_is_in_step_after_one_fetch(engine) {
        let (app, ids) = in_step(engine, 1).await;
        let mut user = app.emulator.user(&ids[0]).unwrap();
        user["updated_at"] = json!(253_402_207_200_000_i64);
        assert!(app.emulator.put_user(&user));
        assert_eq!(job(&app, "reconcile").await["counters"]["updated"], 1);
        assert_eq!(job(&app, "reconcile").await["counters"]["unchanged"], 1);
        assert_found(&app, &[]).await;
    }

    async fn a_user_whom_the_provider_dated_ahead_stands_still_for_a_day_at_most_and_follows_a_reconcile(engine) {
        let (app, ids) = in_step(engine, 1).await;
        let mut ahead = app.event_of(&ids[0]);
        ahead["data"]["updated_at"] = json!(253_402_207_200_000_i64);
        ahead["data"]["first_name"] = json!("Augusta");
        assert_eq!(app.send(&ahead).await.outcome(), "applied");
        let seen_at: i64 = app.column(&ids[0], "version_seen_at").unwrap().parse().unwrap();
        let dated: i64 = app.column(&ids[0], "version_updated_at").unwrap().parse().unwrap();
        assert_eq!(dated, seen_at + 86_400_000);
        change(&app, 1, &ids[0], "first_name", json!("Ada"));
        assert_eq!(app.send(&app.event_of(&ids[0])).await.reason(), Some("superseded"));
        set(&app, &ids[0], "synced_at = '2020-01-01T00:00:00.000Z'");
        assert_found(&app, &[("newer", &[&ids[0]])]).await;
        assert_eq!(job(&app, "reconcile").await["counters"]["updated"], 1);
        assert_eq!(app.column(&ids[0], "first_name").as_deref(), Some("Ada"));
        assert_found(&app, &[]).await;
    }
}
