//! What was fetched never undoes what is newer, and goes before an event of the same moment.

use crate::support::{TestApp, deleted};
use serde_json::{Value, json};

/// An event of the user as it is at the provider, so many milliseconds later, with another name.
fn later(app: &TestApp, id: &str, milliseconds: i64, name: &str) -> Value {
    let mut event = app.event_of(id);
    let updated_at = event["data"]["updated_at"].as_i64().unwrap() + milliseconds;
    event["data"]["updated_at"] = json!(updated_at);
    event["data"]["first_name"] = json!(name);
    event["timestamp"] = json!(updated_at);
    event
}

fn stale() -> (String, Option<String>) {
    ("stale".to_owned(), None)
}

both_engines! {
    async fn trap_35_an_older_page_never_overwrites_newer_webhook_data(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let id = app.sign_up("Ada");
        // The event tells of a change that the API does not show yet.
        assert_eq!(app.send(&later(&app, &id, 1, "Newer")).await.outcome(), "applied");
        let before = app.user(&id).await;
        for _ in 0..2 {
            assert_eq!(app.resync_one(&id).await, stale());
        }
        assert_eq!(app.user(&id).await, before);
        assert_eq!(before["first_name"], "Newer");
    }

    async fn trap_35_a_resync_brings_no_deleted_user_back(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let id = app.sign_up("Ada");
        app.resync_one(&id).await;
        app.send(&deleted(&id)).await;
        app.emulator.update_user(&id, json!({"first_name": "Grace"}));
        assert_eq!(app.resync_one(&id).await.0, "tombstoned");
        assert_eq!((app.user(&id).await["status"].as_str(), app.column(&id, "email")), (Some("deleted"), None));
    }

    async fn what_was_fetched_goes_before_an_event_of_the_same_moment_whichever_comes_first(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let (one, other) = (app.sign_up("Ada"), app.sign_up("Ada2"));
        let event_first = later(&app, &one, 0, "Event");
        assert_eq!(app.send(&event_first).await.outcome(), "applied");
        assert_eq!(app.resync_one(&one).await.0, "updated");
        assert_eq!(app.user(&one).await["first_name"], "Ada");
        assert_eq!(app.resync_one(&other).await.0, "created");
        // Also one that says it was sent long after the fetch.
        let mut event_last = later(&app, &other, 0, "Event");
        event_last["timestamp"] = json!(9_000_000_000_000_i64);
        let answer = app.send(&event_last).await;
        assert_eq!((answer.outcome(), answer.reason()), ("stale", Some("superseded")));
        assert_eq!(app.user(&other).await["first_name"], "Ada2");
    }

    async fn the_next_event_after_a_fetch_is_applied(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let id = app.sign_up("Ada");
        app.resync_one(&id).await;
        let fetched_at = app.column(&id, "last_fetched_at");
        assert_eq!(app.send(&later(&app, &id, 1, "Newer")).await.outcome(), "applied");
        assert_eq!(app.user(&id).await["first_name"], "Newer");
        assert_eq!(app.column(&id, "last_fetched_at"), fetched_at);
    }

    async fn the_last_sign_in_only_rises_whatever_the_order(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let id = app.sign_up("Ada");
        let signed_in = 1_900_000_000_000_i64;
        app.send(&later(&app, &id, 5, "Newer")).await;
        app.emulator.update_user(&id, json!({"last_sign_in_at": signed_in}));
        let mut newest = later(&app, &id, 60_000, "Newest");
        newest["data"]["last_sign_in_at"] = Value::Null;
        app.send(&newest).await;
        assert_eq!(app.user(&id).await["last_sign_in_at"], Value::Null);
        assert_eq!(app.resync_one(&id).await, stale());
        let row = app.user(&id).await;
        assert_eq!(row["first_name"], "Newest");
        assert_eq!(row["last_sign_in_at"], "2030-03-17T17:46:40.000Z");
    }
}
