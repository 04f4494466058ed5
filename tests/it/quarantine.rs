//! The quarantine: what cannot be understood is kept, applied by a later delivery or a replay,
//! erased with its subject, and never pushed out.

use crate::support::{Engine, TestApp, deleted, message_id, user, user_id};
use serde_json::{Value, json};

const CAP_BYTES: usize = 64 * 1024 * 1024;

/// A genuine event that cannot be mapped: its name is a number.
fn malformed(id: &str) -> Value {
    let mut event = user(id, 1_000);
    event["data"]["first_name"] = 7.into();
    event["data"]["private_metadata"] = json!({"card": "private-card"});
    event["data"]["unsafe_metadata"] = json!({"note": "unsafe-note"});
    event
}

async fn with_quarantined(engine: Engine) -> (TestApp, String) {
    let (app, message) = (TestApp::start(engine).await, message_id());
    app.send_as(&message, &malformed(&user_id(1))).await;
    (app, message)
}

/// Makes the quarantine hold `bytes` more, by its own count.
fn fill(app: &TestApp, bytes: usize) {
    let body = match app.database.engine {
        Engine::Postgres => r"'\x00'",
        Engine::Sqlite => "x'00'",
    };
    app.database.execute(&format!(
        "INSERT INTO quarantine (source, message_id, type, reason, body, size_bytes, received_at) \
         VALUES ('clerk', 'msg_filler', 'user.updated', 'wrong_type', {body}, {bytes}, '2999-01-01T00:00:00.000Z')"
    ));
}

fn kept(app: &TestApp) -> usize {
    app.database.count("quarantine WHERE message_id <> 'msg_filler'")
}

both_engines! {
    async fn a_kept_body_has_no_private_metadata(app = TestApp::start) {
        assert_eq!(app.send(&malformed(&user_id(1))).await.outcome(), "quarantined");
        let dump = app.database.dump();
        assert!(dump.contains("@example.org"), "the body is not kept");
        for secret in ["private", "unsafe"] {
            assert!(!dump.contains(secret), "{secret} is stored");
        }
    }

    async fn a_message_that_comes_again_is_tried_anew_and_kept_once(app = TestApp::start) {
        let message = message_id();
        for _ in 0..3 {
            let answer = app.send_as(&message, &malformed(&user_id(1))).await;
            assert_eq!((answer.status.as_u16(), answer.outcome()), (202, "quarantined"));
        }
        assert_eq!((kept(&app), app.database.count("webhook_events")), (1, 1));
    }

    async fn a_message_that_can_be_read_after_all_heals((app, message) = with_quarantined) {
        let healed = app.send_as(&message, &user(&user_id(1), 1_000)).await;
        assert_eq!((healed.status.as_u16(), healed.outcome()), (200, "applied"));
        assert_eq!((kept(&app), app.database.count("quarantine_subjects")), (0, 0));
    }

    async fn an_event_of_a_deleted_user_is_tombstoned_and_its_body_not_kept(app = TestApp::start) {
        app.send(&deleted(&user_id(1))).await;
        let message = message_id();
        let answer = app.send_as(&message, &malformed(&user_id(1))).await;
        assert_eq!((answer.status.as_u16(), answer.outcome(), answer.reason()), (200, "tombstoned", None));
        assert_eq!(kept(&app), 0);
        let broken = format!("{{\"data\":{{\"by\":\"{}\"", user_id(1));
        assert_eq!(app.send_bytes(&message_id(), broken.into_bytes()).await.outcome(), "tombstoned");
        assert_eq!((kept(&app), app.database.count("webhook_events WHERE outcome = 'tombstoned'")), (0, 2));
        assert!(!app.database.dump().contains("@example.org"));
        assert_eq!(app.send_as(&message, &malformed(&user_id(1))).await.outcome(), "duplicate");
    }

    async fn a_deletion_erases_what_is_kept_of_its_user_and_nothing_else(app = TestApp::start) {
        let broken = format!("{{\"type\":\"user.updated\",\"data\":{{\"id\":\"{}\",\"e\":\"a@example.net", user_id(1));
        app.send_bytes(&message_id(), broken.into_bytes()).await;
        app.send(&malformed(&user_id(1))).await;
        app.send(&malformed(&user_id(2))).await;
        assert_eq!(kept(&app), 3);
        assert_eq!(app.send(&deleted(&user_id(1))).await.outcome(), "applied");
        let left = app.database.query("SELECT subject AS value FROM quarantine_subjects");
        assert_eq!((left, kept(&app)), (vec![Some(user_id(2))], 1));
        assert!(!app.database.dump().contains("a@example.net"));
    }

    async fn an_erased_message_that_comes_again_is_tombstoned((app, message) = with_quarantined) {
        app.send(&deleted(&user_id(1))).await;
        assert_eq!(app.send_as(&message, &malformed(&user_id(1))).await.outcome(), "tombstoned");
        assert_eq!(kept(&app), 0);
    }

    async fn a_full_quarantine_asks_to_come_again_and_drops_nothing(app = TestApp::start) {
        app.send(&malformed(&user_id(1))).await;
        let size = usize::try_from(app.metric("usersync_quarantine_bytes").await).unwrap();
        fill(&app, CAP_BYTES - 2 * size);
        assert_eq!(app.send(&malformed(&user_id(2))).await.outcome(), "quarantined");
        app.send(&malformed(&user_id(3))).await.assert_unavailable("quarantine_full");
        assert_eq!((kept(&app), app.database.count("quarantine")), (2, 3));
        assert_eq!(app.send(&user(&user_id(4), 1_000)).await.outcome(), "applied");
    }

    async fn an_id_that_no_index_takes_is_malformed(app = TestApp::start) {
        let answer = app.send(&user(&format!("user_{}", "x".repeat(12_000)), 1_000)).await;
        assert_eq!((answer.outcome(), answer.reason()), ("quarantined", Some("out_of_range")));
        assert_eq!(app.send(&deleted(&format!("user_{}", "x".repeat(251)))).await.outcome(), "quarantined");
        assert_eq!(app.send(&user(&format!("user_{}", "x".repeat(250)), 1_000)).await.outcome(), "applied");
    }

    async fn an_id_is_one_however_it_is_written(app = TestApp::start) {
        let mut malformed = malformed(&user_id(1));
        malformed["data"]["id"] = format!(" {}\u{0} ", user_id(1)).into();
        assert_eq!(app.send(&malformed).await.outcome(), "quarantined");
        assert_eq!(app.send(&deleted(&format!("{} ", user_id(1)))).await.outcome(), "applied");
        assert_eq!(kept(&app), 0);
        assert_eq!(app.user(&format!(" {}", user_id(1))).await["status"], "deleted");
    }

    async fn a_body_that_names_too_many_users_is_recorded_without_its_bytes(app = TestApp::start) {
        let torn = (0..60_000).map(|number| format!("user_{number}")).collect::<Vec<_>>().join(" ");
        let answer = app.send_bytes(&message_id(), torn.into()).await;
        assert_eq!((answer.outcome(), answer.reason()), ("quarantined", Some("invalid_json")));
        assert_eq!((kept(&app), app.database.count("quarantine_subjects")), (1, 0));
        assert!(!app.database.dump().contains("user_17"));
    }

    async fn copies_of_a_message_that_is_turned_away_are_turned_away_too(app = TestApp::start) {
        fill(&app, CAP_BYTES);
        let event = || malformed(&user_id(1));
        let answers = app.send_in_one_batch(&[("msg_1", event()), ("msg_1", event()), ("msg_1", event())]).await;
        for answer in answers {
            answer.assert_unavailable("quarantine_full");
        }
        assert_eq!((kept(&app), app.database.count("webhook_events WHERE message_id = 'msg_1'")), (0, 0));
    }

    async fn trap_7_a_message_that_was_turned_away_is_not_remembered(app = TestApp::start) {
        fill(&app, CAP_BYTES);
        let message = message_id();
        app.send_as(&message, &malformed(&user_id(1))).await.assert_unavailable("quarantine_full");
        assert_eq!(app.database.count("webhook_events"), 0);
        app.database.execute("DELETE FROM quarantine WHERE message_id = 'msg_filler'");
        assert_eq!(app.send_as(&message, &malformed(&user_id(1))).await.outcome(), "quarantined");
    }

    async fn a_full_quarantine_keeps_a_message_that_it_has_when_it_comes_again((app, message) = with_quarantined) {
        fill(&app, CAP_BYTES);
        let again = app.send_as(&message, &malformed(&user_id(1))).await;
        assert!(again.status == 503 || again.status == 202, "{again:?}");
        assert_eq!(kept(&app), 1, "what was kept has been dropped");
    }

    async fn the_metric_tells_how_much_is_kept(app = TestApp::start) {
        assert_eq!(app.metric("usersync_quarantine_bytes").await, 0);
        app.send(&malformed(&user_id(1))).await;
        let size = app.database.query("SELECT CAST(sum(size_bytes) AS text) AS value FROM quarantine");
        let metric = app.metric("usersync_quarantine_bytes").await;
        assert_eq!(size, [Some(metric.to_string())]);
        assert!(metric > 100);
    }
}
