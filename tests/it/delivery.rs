//! What becomes of a delivery: outcomes, order, repetition.

use crate::support::{TestApp, deleted, message_id, user, user_id};

both_engines! {
    async fn trap_20_an_update_that_comes_before_its_creation_is_applied(app = TestApp::start) {
        let id = user_id(1);
        let mut created = user(&id, 1_000);
        created["type"] = "user.created".into();
        let updated = app.send(&user(&id, 2_000)).await;
        assert_eq!((updated.status.as_u16(), updated.outcome()), (200, "applied"));
        let late = app.send(&created).await;
        assert_eq!((late.outcome(), late.reason()), ("stale", Some("superseded")));
        assert_eq!(late.body["user_id"], updated.body["user_id"]);
        assert_eq!(app.user(&id).await["last_name"], "Version2000");
    }

    async fn delete_before_create_leaves_a_tombstone(app = TestApp::start) {
        let id = user_id(1);
        assert_eq!(app.send(&deleted(&id)).await.outcome(), "applied");
        assert_eq!(app.send(&user(&id, 9_000)).await.outcome(), "tombstoned");
        assert_eq!(app.send(&deleted(&id)).await.outcome(), "tombstoned");
        let user = app.user(&id).await;
        assert_eq!((&user["status"], &user["name"]), (&"deleted".into(), &serde_json::Value::Null));
    }

    async fn trap_8_a_repeated_message_is_a_duplicate_and_does_no_harm(app = TestApp::start) {
        let id = user_id(1);
        let message = message_id();
        assert_eq!(app.send_as(&message, &user(&id, 1_000)).await.outcome(), "applied");
        assert_eq!(app.send_as(&message, &user(&id, 1_000)).await.outcome(), "duplicate");
        assert_eq!(app.send(&user(&id, 2_000)).await.outcome(), "applied");
        assert_eq!(app.send_as(&message, &user(&id, 1_000)).await.outcome(), "duplicate");
        assert_eq!(app.user(&id).await["last_name"], "Version2000");
        assert_eq!(app.database.count("webhook_events"), 2);
    }

    async fn of_two_snapshots_that_differ_in_their_lock_only_the_longer_lock_stays(app = TestApp::start) {
        for (number, order) in [[60, 1800], [1800, 60]].into_iter().enumerate() {
            let id = user_id(number);
            for seconds in order {
                let mut event = user(&id, 1_000);
                event["data"]["locked"] = true.into();
                event["data"]["lockout_expires_in_seconds"] = seconds.into();
                app.send(&event).await;
            }
        }
        let text = "SELECT DISTINCT CAST(locked_until AS text) AS value FROM users";
        let locks = app.database.query(text);
        assert_eq!(locks.len(), 1, "{locks:?}");
        // The envelope's 1,000 are seconds, since as milliseconds they would lie in 1970.
        assert!(locks[0].as_ref().unwrap().contains("00:46:40"), "{locks:?}");
    }
}
