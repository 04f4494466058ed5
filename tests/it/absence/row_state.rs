//! What is left of an absent user, and what restores it.

use super::known;
use crate::erasure::person;
use crate::support::{
    ENTITLEMENT_COLUMNS, PROFILE_COLUMNS, TestApp, TestDatabase, deleted, until_soon,
};
use reqwest::Method;
use serde_json::{Value, json};

const MARK: &str = "Personalword";

/// A user with everything and a role set by an operator; and another one.
async fn user_and_another(app: &TestApp) -> String {
    known(app, 1).await;
    let user = app.emulator.create_user(json!({
        "first_name": MARK, "last_name": MARK, "username": "personalword", "external_id": MARK,
        "email_address": [format!("{MARK}@example.org")], "phone_number": ["+15550100"],
        "image_url": format!("https://img.example.org/{MARK}"), "last_sign_in_at": 1_700_000_000_000_i64,
        "public_metadata": {"notes": MARK, "role": "user", "plan": MARK},
    }));
    let id = user["id"].as_str().unwrap_or_else(|| panic!("{user}")).to_owned();
    assert_eq!(app.resync_one(&id).await.0, "created");
    let choice = json!({"role": "admin", "plan": "pro"});
    let answer = app.ask(Method::PATCH, &format!("/v1/users/{id}"), Some(choice)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    id
}

async fn absent(engine: crate::support::Engine) -> (TestApp, String, Value) {
    let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
    let id = user_and_another(&app).await;
    let event = app.event_of(&id);
    app.emulator.delete_user(&id);
    assert_eq!(app.resync_one(&id).await, ("absent".to_owned(), None));
    (app, id, event)
}

fn later(event: &Value, milliseconds: i64) -> Value {
    let mut event = event.clone();
    let updated_at = event["data"]["updated_at"].as_i64().unwrap() + milliseconds;
    event["data"]["updated_at"] = json!(updated_at);
    event["timestamp"] = json!(updated_at);
    event
}

/// What remains of an absent user: overrides, and the last sign-in.
fn kept(app: &TestApp, id: &str) -> [Option<String>; 3] {
    ["set_role", "set_plan", "last_sign_in_at"].map(|column| app.column(id, column))
}

/// Everything that the database holds, and on SQLite the bytes of its files.
fn everything(database: &TestDatabase) -> String {
    match database.engine {
        crate::support::Engine::Postgres => database.dump(),
        crate::support::Engine::Sqlite => database.dump() + &person::files(database),
    }
}

both_engines! {
    async fn an_absent_user_is_emptied_of_all_that_a_snapshot_brought_and_of_nothing_else(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let id = user_and_another(&app).await;
        let before = app.user(&id).await;
        let chosen = kept(&app, &id);
        assert!(everything(&app.database).contains(MARK));
        app.emulator.delete_user(&id);
        assert_eq!(app.resync_one(&id).await, ("absent".to_owned(), None));
        let others = ["source_created_at", "locked_until"];
        for column in PROFILE_COLUMNS.into_iter().chain(ENTITLEMENT_COLUMNS).chain(others) {
            assert_eq!(app.column(&id, column), None, "{column}");
        }
        assert_eq!(app.column(&id, "deletion_kind").as_deref(), Some("absent"));
        assert_eq!(app.column(&id, "public_metadata").as_deref(), Some("{}"));
        assert_eq!(kept(&app, &id), chosen);
        assert!(chosen.iter().all(Option::is_some), "{chosen:?}");
        let after = app.user(&id).await;
        for same in ["id", "external_id", "source", "created_at", "last_sign_in_at"] {
            assert_eq!(after[same], before[same], "{same}");
        }
        assert_eq!((&after["status"], after["deleted_at"].is_string()), (&json!("deleted"), true));
        assert_eq!(app.database.count("users_live"), 1);
        assert_eq!(app.database.count("absences WHERE state = 'emptied'"), 1);
        until_soon("no byte is left", async || !everything(&app.database).contains(MARK)).await;
    }

    async fn an_absent_user_does_not_come_in((app, id, _) = absent) {
        app.me(&id).await.assert_problem(403, "user_unknown");
    }

    async fn the_signed_deletion_finishes_what_the_absence_began((app, id, event) = absent) {
        assert_eq!(app.send(&deleted(&id)).await.outcome(), "applied");
        assert_eq!(app.column(&id, "deletion_kind").as_deref(), Some("signed"));
        assert_eq!(kept(&app, &id), [None, None, None]);
        assert_eq!(app.send(&later(&event, 1_000_000)).await.outcome(), "tombstoned");
        assert_eq!(app.resync_one(&id).await, ("tombstoned".to_owned(), None));
    }

    async fn an_older_event_does_not_bring_an_absent_user_back_and_says_why((app, id, event) = absent) {
        let before = app.user(&id).await;
        for milliseconds in [-1_000, 0] {
            let answer = app.send(&later(&event, milliseconds)).await;
            assert_eq!((answer.outcome(), answer.reason()), ("stale", Some("absent")));
        }
        let mut after = app.user(&id).await;
        after["synced_at"] = before["synced_at"].clone();
        assert_eq!(after, before);
    }

    async fn an_event_with_a_greater_updated_at_brings_an_absent_user_back((app, id, event) = absent) {
        assert_eq!(app.send(&later(&event, 1)).await.outcome(), "applied");
        let row = app.user(&id).await;
        assert_eq!((&row["first_name"], &row["status"]), (&json!(MARK), &json!("active")));
        assert_eq!((&row["role"], &row["plan"]), (&json!("admin"), &json!("pro")));
        assert_eq!(row["deleted_at"], Value::Null);
        assert_eq!(app.column(&id, "deletion_kind"), None);
    }

    async fn a_later_fetch_of_the_same_user_brings_it_back_and_an_earlier_one_does_not(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let id = user_and_another(&app).await;
        let before = app.user(&id).await;
        for (sent_in, outcome) in [(50_000, "stale"), (-1, "updated")] {
            app.empty_absent(std::slice::from_ref(&id), sent_in).await;
            assert_eq!(app.user(&id).await["status"], "deleted");
            let (actual, reason) = app.resync_one(&id).await;
            let expected = (outcome == "stale").then_some("absent");
            assert_eq!((actual.as_str(), reason.as_deref()), (outcome, expected));
            // Undone by hand: the test does not wait for a minute.
            app.database.execute("UPDATE users SET version_seen_at = 0 WHERE deletion_kind = 'absent'");
        }
        let mut after = app.user(&id).await;
        for local in ["updated_at", "synced_at"] {
            after[local] = before[local].clone();
        }
        assert_eq!(after, before);
    }

    async fn a_session_of_a_user_who_only_seemed_absent_brings_it_back(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let id = user_and_another(&app).await;
        app.empty_absent(std::slice::from_ref(&id), -1).await;
        let answer = app.me(&id).await;
        assert_eq!((answer.status.as_u16(), &answer.body["created"]), (200, &json!(false)), "{answer:?}");
        assert_eq!((&answer.body["user"]["role"], app.column(&id, "deletion_kind")), (&json!("admin"), None));
    }
}
