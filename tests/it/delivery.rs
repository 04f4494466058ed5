//! What becomes of a delivery: outcomes, order, repetition.

use crate::both_engines;
use crate::support::{TestApp, deleted, message_id, user, user_id};

both_engines! {
    async fn trap_20_an_update_that_comes_before_its_creation_is_applied(engine) {
        let app = TestApp::start(engine).await;
        let id = user_id(1);
        let mut created = user(&id, 1_000);
        created["type"] = "user.created".into();
        let updated = app.send(&user(&id, 2_000)).await;
        assert_eq!((updated.status.as_u16(), updated.outcome()), (200, "applied"));
        let late = app.send(&created).await;
        assert_eq!((late.outcome(), late.reason()), ("stale", Some("superseded")));
        assert_eq!(late.body["user_id"], updated.body["user_id"]);
        assert_eq!(app.user(&id).await["last_name"], "Version2000");
        app.stop().await;
    }

    async fn delete_before_create_leaves_a_tombstone(engine) {
        let app = TestApp::start(engine).await;
        let id = user_id(1);
        assert_eq!(app.send(&deleted(&id)).await.outcome(), "applied");
        assert_eq!(app.send(&user(&id, 9_000)).await.outcome(), "tombstoned");
        assert_eq!(app.send(&deleted(&id)).await.outcome(), "tombstoned");
        let user = app.user(&id).await;
        assert_eq!((&user["status"], &user["name"]), (&"deleted".into(), &serde_json::Value::Null));
        app.stop().await;
    }

    async fn trap_8_a_repeated_message_is_a_duplicate_and_does_no_harm(engine) {
        let app = TestApp::start(engine).await;
        let id = user_id(1);
        let message = message_id();
        assert_eq!(app.send_as(&message, &user(&id, 1_000)).await.outcome(), "applied");
        assert_eq!(app.send_as(&message, &user(&id, 1_000)).await.outcome(), "duplicate");
        assert_eq!(app.send(&user(&id, 2_000)).await.outcome(), "applied");
        assert_eq!(app.send_as(&message, &user(&id, 1_000)).await.outcome(), "duplicate");
        assert_eq!(app.user(&id).await["last_name"], "Version2000");
        assert_eq!(app.database.count("webhook_events"), 2);
        app.stop().await;
    }
}
