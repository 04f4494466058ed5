//! Which row an event belongs to, and what remains of a deleted user, in whatever order events come.

use crate::support::{TestApp, TestDatabase, deleted, message_id, user, user_id, user_with};
use serde_json::{Value, json};

fn with_email(number: usize, updated_at: i64, address: &str) -> Value {
    let mut event = user(&user_id(number), updated_at);
    event["data"]["email_addresses"][0]["email_address"] = address.into();
    event
}

both_engines! {
    async fn trap_8_an_old_message_does_no_harm_once_its_id_is_forgotten(app = TestApp::start) {
        let (message, old) = (message_id(), user(&user_id(1), 1_000));
        app.send_as(&message, &old).await;
        app.send(&user(&user_id(1), 2_000)).await;
        app.database.execute("DELETE FROM webhook_events");
        assert_eq!(app.send_as(&message, &old).await.outcome(), "stale");
        app.send(&deleted(&user_id(1))).await;
        app.database.execute("DELETE FROM webhook_events");
        assert_eq!(app.send_as(&message, &old).await.outcome(), "tombstoned");
    }

    async fn trap_13_two_users_may_have_one_address_and_swap_them_in_any_order(app = TestApp::start) {
        app.send(&with_email(1, 1_000, "a@example.org")).await;
        app.send(&with_email(2, 1_000, "b@example.org")).await;
        for event in [with_email(1, 2_000, "b@example.org"), with_email(2, 2_000, "a@example.org")] {
            assert_eq!(app.send(&event).await.outcome(), "applied");
        }
        assert_eq!(app.user(&user_id(1)).await["email"], "b@example.org");
        assert_eq!(app.user(&user_id(2)).await["email"], "a@example.org");
    }

    async fn trap_13_a_user_who_signs_up_again_is_another_one(app = TestApp::start) {
        app.send(&with_email(1, 1_000, "a@example.org")).await;
        assert_eq!(app.send(&with_email(2, 2_000, "a@example.org")).await.outcome(), "applied");
        assert_eq!(app.send(&deleted(&user_id(1))).await.outcome(), "applied");
        let (old, new) = (app.user(&user_id(1)).await, app.user(&user_id(2)).await);
        assert_ne!(old["id"], new["id"]);
        assert_eq!((&old["email"], &new["email"]), (&Value::Null, &"a@example.org".into()));
    }

    async fn trap_21_nothing_that_comes_late_brings_a_deleted_user_back(app = TestApp::start) {
        let created = app.send(&user(&user_id(1), 1_000)).await;
        app.send(&deleted(&user_id(1))).await;
        let before = app.user(&user_id(1)).await;
        let mut late = user(&user_id(1), 9_000_000_000_000);
        for kind in ["user.created", "user.updated"] {
            late["type"] = kind.into();
            late["data"]["last_sign_in_at"] = 9_000_000_000_000_i64.into();
            assert_eq!(app.send(&late).await.outcome(), "tombstoned");
        }
        assert_eq!(app.user(&user_id(1)).await, before);
        assert_eq!((&before["id"], &before["last_sign_in_at"]), (&created.body["user_id"], &Value::Null));
    }

    async fn trap_22_the_deletion_of_an_unknown_user_succeeds_and_is_remembered(app = TestApp::start) {
        let answer = app.send(&deleted(&user_id(1))).await;
        assert_eq!((answer.status.as_u16(), answer.outcome()), (200, "applied"));
        let tombstone = app.user(&user_id(1)).await;
        assert_eq!((&tombstone["id"], &tombstone["status"]), (&answer.body["user_id"], &"deleted".into()));
        assert_eq!(app.send(&user(&user_id(1), 1_000)).await.outcome(), "tombstoned");
    }

    async fn trap_22_a_deletion_keeps_the_row_and_its_id(app = TestApp::start) {
        app.send(&user(&user_id(1), 1_000)).await;
        let before = app.user(&user_id(1)).await;
        app.send(&deleted(&user_id(1))).await;
        let after = app.user(&user_id(1)).await;
        for kept in ["id", "source", "external_id", "created_at"] {
            assert_eq!(after[kept], before[kept], "{kept}");
        }
        assert!(after["deleted_at"].is_string());
    }

    async fn trap_23_a_snapshot_leaves_alone_what_it_does_not_carry(app = TestApp::start) {
        app.send(&user_with(&user_id(1), 1_000, "last_sign_in_at", 5_000)).await;
        let local = "set_role = 'admin', role = 'admin', last_fetched_at = created_at";
        app.database.execute(&format!("UPDATE users SET {local}"));
        let before = app.user(&user_id(1)).await;
        assert_eq!(app.send(&user(&user_id(1), 2_000)).await.outcome(), "applied");
        let after = app.user(&user_id(1)).await;
        for kept in ["id", "created_at", "last_sign_in_at", "role"] {
            assert_eq!(after[kept], before[kept], "{kept}");
        }
        assert_eq!(app.database.count("users WHERE last_fetched_at = created_at AND set_role = 'admin'"), 1);
    }

    async fn trap_25_two_replicas_that_write_one_user_agree_on_the_newest(engine) {
        let database = TestDatabase::new(engine);
        let replicas = TestApp::builder(&database).start_many(2).await;
        let mut deliveries = Vec::new();
        for step in 0..40_usize {
            let event = user(&user_id(1), 1_000 + i64::try_from(step * 17 % 40).unwrap());
            let sender = replicas[step % 2].client.clone();
            deliveries.push(tokio::spawn(async move { sender.send(&event).await }));
        }
        for delivery in deliveries {
            let answer = delivery.await.unwrap();
            assert!(["applied", "stale"].contains(&answer.outcome()), "{answer:?}");
        }
        let name = database.query("SELECT last_name AS value FROM users");
        assert_eq!(name, [Some("Version1039".to_owned())]);
    }

    async fn equal_versions_are_decided_by_content_whatever_the_order(app = TestApp::start) {
        let mut winners = Vec::new();
        for (number, order) in [["Ada", "Grace"], ["Grace", "Ada"]].into_iter().enumerate() {
            for name in order {
                let mut event = user_with(&user_id(number), 1_000, "first_name", name);
                event["data"]["email_addresses"] = json!([]);
                app.send(&event).await;
            }
            winners.push(app.user(&user_id(number)).await["first_name"].clone());
        }
        assert_eq!(winners[0], winners[1]);
    }
}
