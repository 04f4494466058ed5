//! Lost webhooks and conflicts heal, and what was fetched never undoes what is newer.

use super::with_user;
use crate::support::{ADMIN_TOKEN, TestApp, deleted, outcomes};
use reqwest::Method;
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
    async fn lost_events_of_every_kind_heal(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        let [changed, gone, same] = ["Ada", "Grace", "Barbara"].map(|name| app.sign_up(name));
        app.quiet().await;
        app.emulator.deliver_to(None);
        let new = app.sign_up("Radia");
        app.emulator.update_user(&changed, json!({"first_name": "Augusta"}));
        app.emulator.delete_user(&gone);
        let answer = app.resync(&app.emulator.issued_ids()).await;
        assert_eq!(outcomes(&answer), ["updated", "absent", "unchanged", "created"]);
        app.quiet().await;
        for user in app.emulator.users() {
            let row = app.user(user["id"].as_str().unwrap()).await;
            assert_eq!((&row["first_name"], &row["status"]), (&user["first_name"], &json!("active")));
            assert_eq!(user["public_metadata"], json!({"dbId": row["id"], "role": "user"}));
        }
        assert_eq!(app.database.count("users_live"), 3);
        assert_eq!(app.user(&gone).await["status"], "deleted");
        let again = app.resync(&[&changed, &gone, &same, &new]).await;
        assert_eq!(outcomes(&again), ["unchanged", "absent", "unchanged", "unchanged"]);
        app.quiet().await;
        assert_eq!(app.emulator.counts().requests_of("metadata_patch"), 4);
    }

    async fn a_ban_that_was_lost_keeps_the_user_out_once_it_is_fetched((app, id) = with_user) {
        app.send(&app.event_of(&id)).await;
        app.emulator.ban(&id, true);
        assert_eq!(app.me(&id).await.status, 200);
        assert_eq!(app.resync_one(&id).await.0, "updated");
        assert_eq!(app.me(&id).await.code(), "user_banned");
        app.emulator.ban(&id, false);
        assert_eq!(app.resync_one(&id).await.0, "updated");
        assert_eq!(app.me(&id).await.status, 200);
    }

    async fn a_conflict_is_left_alone_until_an_operator_takes_the_user_over(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        let held = json!({"dbId": "somebody-elses", "role": "wizard", "theme": "dark"});
        let user = app.emulator.create_user(json!({"first_name": "Ada", "public_metadata": held}));
        let id = user["id"].as_str().unwrap();
        app.quiet().await;
        assert_eq!(app.resync_one(id).await.0, "unchanged");
        app.quiet().await;
        assert_eq!(app.metadata(id), held, "the provider's words are left alone");
        let listed = app.get_as(ADMIN_TOKEN, "/v1/write-backs?state=conflict_id").await;
        assert_eq!(listed.body["data"][0]["external_id"], id, "{listed:?}");
        let body = json!({"user_ids": [id], "take_over": true});
        let answer = app.ask(Method::POST, "/v1/reconcile", Some(body)).await;
        assert_eq!(outcomes(&answer), ["unchanged"]);
        app.quiet().await;
        let row = app.user(id).await;
        let settled = json!({"dbId": row["id"], "role": "user", "theme": "dark"});
        assert_eq!((app.metadata(id), &row["public_metadata"]), (settled.clone(), &settled));
        assert_eq!(app.database.count("write_backs"), 0);
        assert_eq!(app.emulator.metadata_writes(id), 1);
    }

    async fn trap_35_an_older_page_never_overwrites_newer_webhook_data((app, id) = with_user) {
        // The event tells of a change that the API does not show yet.
        assert_eq!(app.send(&later(&app, &id, 1, "Newer")).await.outcome(), "applied");
        let before = app.user(&id).await;
        for _ in 0..2 {
            assert_eq!(app.resync_one(&id).await, stale());
        }
        assert_eq!(app.user(&id).await, before);
        assert_eq!(before["first_name"], "Newer");
    }

    async fn trap_35_a_resync_brings_no_deleted_user_back((app, id) = with_user) {
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

    async fn the_next_event_after_a_fetch_is_applied((app, id) = with_user) {
        app.resync_one(&id).await;
        let fetched_at = app.column(&id, "last_fetched_at");
        assert_eq!(app.send(&later(&app, &id, 1, "Newer")).await.outcome(), "applied");
        assert_eq!(app.user(&id).await["first_name"], "Newer");
        assert_eq!(app.column(&id, "last_fetched_at"), fetched_at);
    }

    async fn the_last_sign_in_only_rises_whatever_the_order((app, id) = with_user) {
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
