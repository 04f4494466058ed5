//! Deliveries that are committed as one batch are answered as if they had come one by one.

use crate::support::{Answer, TestApp, WriterLock, deleted, message_id, user, user_id, user_with};
use serde_json::{Value, json};

fn outcomes(answers: &[Answer]) -> Vec<&str> {
    answers.iter().map(Answer::outcome).collect()
}

fn snapshot(updated_at: i64) -> Value {
    user(&user_id(1), updated_at)
}

both_engines! {
    async fn a_message_that_comes_twice_in_a_batch_is_a_duplicate(app = TestApp::start) {
        let event = snapshot(1_000);
        let batch = [("msg_1", event.clone()), ("msg_1", event.clone()), ("msg_2", event)];
        let answers = app.send_in_one_batch(&batch).await;
        assert_eq!(outcomes(&answers), ["applied", "duplicate", "stale"]);
        assert_eq!(answers[0].body["user_id"], answers[1].body["user_id"]);
        assert_eq!(answers[2].reason(), Some("superseded"));
    }

    async fn a_snapshot_is_tombstoned_by_a_deletion_of_its_batch_before_or_after_it(app = TestApp::start) {
        let gone = deleted(&user_id(1));
        let batch = [("msg_1", snapshot(1_000)), ("msg_2", gone.clone()), ("msg_3", snapshot(2_000)), ("msg_4", gone)];
        let answers = app.send_in_one_batch(&batch).await;
        assert_eq!(outcomes(&answers), ["tombstoned", "applied", "tombstoned", "tombstoned"]);
        assert_eq!(app.user(&user_id(1)).await["status"], "deleted");
        assert!(answers.iter().all(|answer| answer.body["user_id"] == answers[0].body["user_id"]));
    }

    async fn the_newest_snapshot_of_a_batch_is_applied_and_the_others_are_superseded(app = TestApp::start) {
        let batch = [("msg_1", snapshot(2_000)), ("msg_2", snapshot(3_000)), ("msg_3", snapshot(1_000))];
        let answers = app.send_in_one_batch(&batch).await;
        assert_eq!(outcomes(&answers), ["stale", "applied", "stale"]);
        assert_eq!(answers[2].reason(), Some("superseded"));
        assert_eq!(app.user(&user_id(1)).await["last_name"], "Version3000");
    }

    async fn a_batch_that_is_older_than_the_row_is_superseded_as_a_whole(app = TestApp::start) {
        app.send(&snapshot(9_000)).await;
        let answers = app.send_in_one_batch(&[("msg_1", snapshot(2_000)), ("msg_2", snapshot(3_000))]).await;
        assert_eq!(outcomes(&answers), ["stale", "stale"]);
        assert_eq!(app.user(&user_id(1)).await["last_name"], "Version9000");
    }

    async fn users_of_one_batch_do_not_touch_each_other(app = TestApp::start) {
        app.send(&deleted(&user_id(3))).await;
        let batch = [
            ("msg_1", user(&user_id(2), 1_000)),
            ("msg_2", json!({"type": "session.created"})),
            ("msg_3", user(&user_id(3), 1_000)),
            ("msg_4", json!({"type": "user.updated", "data": {"id": 7}})),
            ("msg_5", user(&user_id(1), 1_000)),
        ];
        let answers = app.send_in_one_batch(&batch).await;
        assert_eq!(outcomes(&answers), ["applied", "ignored", "tombstoned", "quarantined", "applied"]);
        assert_eq!(app.user(&user_id(2)).await["id"], answers[0].body["user_id"]);
        assert_eq!(app.user(&user_id(1)).await["id"], answers[4].body["user_id"]);
    }

    async fn sign_ins_of_superseded_snapshots_count_within_a_batch(app = TestApp::start) {
        let old = user_with(&user_id(1), 1_000, "last_sign_in_at", 7_000);
        app.send_in_one_batch(&[("msg_1", old), ("msg_2", snapshot(2_000))]).await;
        assert_eq!(app.user(&user_id(1)).await["last_sign_in_at"], "1970-01-01T00:00:07.000Z");
    }

    async fn an_unreadable_message_that_comes_twice_in_a_batch_is_kept_once(app = TestApp::start) {
        let event = json!({"type": "user.updated", "data": {"id": 7}});
        let answers = app.send_in_one_batch(&[("msg_1", event.clone()), ("msg_1", event)]).await;
        assert_eq!(answers[0].outcome(), "quarantined");
        assert_eq!(app.database.count("quarantine"), 1);
        assert_eq!(answers[1].outcome(), "duplicate", "it came earlier in the batch");
    }

    async fn trap_6_nothing_is_answered_before_it_is_committed(app = TestApp::start) {
        let lock = WriterLock::on(&app.database);
        let batches = app.batches().await;
        let delivery = app.spawn(message_id(), snapshot(1_000).to_string().into_bytes());
        app.until_batches(batches + 1).await;
        assert_eq!(app.database.count("users"), 0);
        assert!(!delivery.is_finished(), "answered before the commit");
        lock.release();
        assert_eq!(delivery.await.unwrap().outcome(), "applied");
        assert_eq!(app.database.count("users"), 1);
    }
}
