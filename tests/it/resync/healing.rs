//! Lost webhooks, and values on which the two sides disagree.

use crate::support::{ADMIN_TOKEN, TestApp, outcomes};
use reqwest::Method;
use serde_json::json;

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

    async fn a_ban_that_was_lost_keeps_the_user_out_once_it_is_fetched(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let id = app.sign_up("Ada");
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
}
