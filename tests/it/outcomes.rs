//! How a delivery is answered: each outcome and its reason, also as recorded.

use crate::support::{
    Answer, TestApp, deleted, message_id, user, user_id, user_with, with_metadata,
};
use serde_json::{Value, json};

fn recorded(app: &TestApp, message: &str) -> String {
    let columns = "outcome || ' ' || coalesce(reason, '-') AS value";
    let condition = format!("message_id = '{message}'");
    let rows =
        app.database.query(&format!("SELECT {columns} FROM webhook_events WHERE {condition}"));
    assert_eq!(rows.len(), 1, "{message}");
    rows[0].clone().unwrap()
}

/// Sends as a message of its own, and checks that what is recorded is what is answered.
async fn send(app: &TestApp, event: &Value) -> Answer {
    let message = message_id();
    let answer = app.send_as(&message, event).await;
    let answered = format!("{} {}", answer.outcome(), answer.reason().unwrap_or("-"));
    assert_eq!(recorded(app, &message), answered);
    answer
}

fn foreign(instance: &str) -> Value {
    let mut event = user(&user_id(1), 1_000);
    event["instance_id"] = instance.into();
    event
}

fn signed_in(updated_at: i64, last_sign_in_at: Option<i64>) -> Value {
    user_with(&user_id(1), updated_at, "last_sign_in_at", last_sign_in_at)
}

both_engines! {
    async fn an_answer_has_exactly_the_fields_of_the_contract(app = TestApp::start) {
        let message = message_id();
        let body = user(&user_id(1), 1_000).to_string();
        let answer = app.send_bytes(&message, body.into()).await;
        let ours = app.user(&user_id(1)).await["id"].clone();
        let expected = json!({"outcome": "applied", "event_id": message, "user_id": ours, "reason": null});
        assert_eq!(answer.body, expected);
        assert_eq!(answer.headers["content-type"], "application/json");
    }

    async fn a_newer_snapshot_is_applied_and_an_older_or_equal_one_is_superseded(app = TestApp::start) {
        let first = send(&app, &user(&user_id(1), 2_000)).await;
        assert_eq!((first.outcome(), first.reason()), ("applied", None));
        for updated_at in [1_000, 2_000] {
            let late = send(&app, &user(&user_id(1), updated_at)).await;
            assert_eq!((late.outcome(), late.reason()), ("stale", Some("superseded")));
            assert_eq!(late.body["user_id"], first.body["user_id"]);
        }
        assert_eq!(send(&app, &user(&user_id(1), 3_000)).await.outcome(), "applied");
    }

    async fn a_repeated_deletion_changes_nothing_of_the_row(app = TestApp::start) {
        let first = message_id();
        app.send_as(&first, &deleted(&user_id(1))).await;
        let row = app.database.dump_of(&["users"]);
        for message in [first, message_id()] {
            app.send_as(&message, &deleted(&user_id(1))).await;
            assert_eq!(app.database.dump_of(&["users"]), row);
        }
    }

    async fn the_deletion_is_applied_once_and_everything_else_is_tombstoned(app = TestApp::start) {
        let created = send(&app, &user(&user_id(1), 1_000)).await;
        assert_eq!(send(&app, &deleted(&user_id(1))).await.outcome(), "applied");
        for event in [user(&user_id(1), 9_000), deleted(&user_id(1))] {
            let late = send(&app, &event).await;
            assert_eq!((late.outcome(), late.reason()), ("tombstoned", None));
            assert_eq!(late.body["user_id"], created.body["user_id"]);
        }
    }

    async fn a_repeated_message_is_a_duplicate_whatever_it_was_before(app = TestApp::start) {
        let (applied, stale, tombstoned) = (message_id(), message_id(), message_id());
        let (new, old, gone) = (user(&user_id(1), 2_000), user(&user_id(1), 1_000), deleted(&user_id(1)));
        assert_eq!(app.send_as(&applied, &new).await.outcome(), "applied");
        assert_eq!(app.send_as(&stale, &old).await.outcome(), "stale");
        send(&app, &gone).await;
        assert_eq!(app.send_as(&tombstoned, &gone).await.outcome(), "tombstoned");
        for (message, event) in [(&applied, &new), (&stale, &old), (&tombstoned, &gone)] {
            let again = app.send_as(message, event).await;
            assert_eq!((again.outcome(), again.reason()), ("duplicate", None));
            assert!(again.body["user_id"].is_string());
        }
        assert_eq!(recorded(&app, &stale), "stale superseded");
    }

    async fn trap_5_events_that_are_not_ours_are_ignored_with_a_2xx(app = TestApp::start) {
        for kind in ["session.created", "organizationMembership.deleted", "user.frobnicated", "user", "🦀"] {
            let answer = send(&app, &json!({"type": kind, "data": [null]})).await;
            assert_eq!((answer.status.as_u16(), answer.outcome()), (200, "ignored"), "{kind}");
            assert_eq!((answer.reason(), &answer.body["user_id"]), (Some("event_type"), &Value::Null));
        }
    }

    async fn trap_24_events_of_another_instance_are_ignored(engine) {
        let app = TestApp::builder(engine).variables(&[("CLERK_INSTANCE_ID", "ins_1,ins_2")]).start().await;
        let answer = send(&app, &foreign("ins_3")).await;
        assert_eq!((answer.outcome(), answer.reason()), ("ignored", Some("wrong_instance")));
        assert_eq!((answer.status.as_u16(), &answer.body["user_id"]), (200, &Value::Null));
        assert_eq!(app.database.count("users"), 0);
        assert_eq!(send(&app, &foreign("ins_2")).await.outcome(), "applied");
    }

    async fn trap_24_a_second_instance_is_counted_where_none_is_configured(app = TestApp::start) {
        let others = "usersync_other_instance_events_total";
        send(&app, &foreign("ins_1")).await;
        send(&app, &foreign("ins_1")).await;
        assert_eq!(app.metric(others).await, 0);
        assert_eq!(send(&app, &foreign("ins_2")).await.outcome(), "stale");
        assert_eq!(app.metric(others).await, 1);
    }

    async fn an_ignored_message_is_tried_anew_once_the_instance_is_right(engine) {
        let app = TestApp::builder(engine).variables(&[("CLERK_INSTANCE_ID", "ins_9")]).start().await;
        let message = message_id();
        assert_eq!(app.send_as(&message, &foreign("ins_1")).await.outcome(), "ignored");
        assert_eq!(app.send_as(&message, &foreign("ins_1")).await.outcome(), "ignored");
        let (database, _) = app.stop().await;
        let app = TestApp::builder(database).variables(&[("CLERK_INSTANCE_ID", "ins_1")]).start().await;
        assert_eq!(app.send_as(&message, &foreign("ins_1")).await.outcome(), "applied");
        assert_eq!(recorded(&app, &message), "applied -");
        assert_eq!(app.send_as(&message, &foreign("ins_1")).await.outcome(), "duplicate");
    }

    async fn a_quarantined_answer_is_a_202_without_a_user(app = TestApp::start) {
        let answer = send(&app, &json!({"type": "user.updated", "data": {}})).await;
        assert_eq!((answer.status.as_u16(), answer.outcome()), (202, "quarantined"));
        assert_eq!((answer.reason(), &answer.body["user_id"]), (Some("missing_field"), &Value::Null));
    }

    async fn the_last_sign_in_rises_by_a_stale_event_too_and_never_falls(app = TestApp::start) {
        send(&app, &signed_in(2_000, Some(5_000))).await;
        assert_eq!(send(&app, &signed_in(1_000, Some(9_000))).await.outcome(), "stale");
        assert_eq!(app.user(&user_id(1)).await["last_sign_in_at"], "1970-01-01T00:00:09.000Z");
        for sign_in in [Some(1_000), None] {
            let updated_at = 4_000 - sign_in.unwrap_or(0);
            assert_eq!(send(&app, &signed_in(updated_at, sign_in)).await.outcome(), "applied");
            let user = app.user(&user_id(1)).await;
            assert_eq!(user["last_sign_in_at"], "1970-01-01T00:00:09.000Z");
        }
    }

    async fn role_and_plan_are_the_sources_words_where_known_and_else_the_defaults(engine) {
        let app = TestApp::builder(engine).variables(&[("USERSYNC_PLANS", "free,pro")]).start().await;
        let cases = [
            (json!({"role": "admin", "plan": "pro"}), "admin", "pro"),
            (json!({"role": "wizard", "plan": "gold"}), "user", "free"),
            (json!({"role": 7, "plan": ["pro"]}), "user", "free"),
            (json!({}), "user", "free"),
        ];
        for ((metadata, role, plan), updated_at) in cases.into_iter().zip(1_000..) {
            send(&app, &with_metadata(updated_at, metadata)).await;
            let user = app.user(&user_id(1)).await;
            assert_eq!((&user["role"], &user["plan"]), (&role.into(), &plan.into()));
        }
    }

    async fn an_operators_choice_stands_over_the_sources_words(app = TestApp::start) {
        send(&app, &with_metadata(1_000, json!({"role": "user"}))).await;
        app.database.execute("UPDATE users SET set_role = 'admin', role = 'admin', set_plan = 'pro', plan = 'pro'");
        send(&app, &with_metadata(2_000, json!({"role": "user", "plan": "free"}))).await;
        let user = app.user(&user_id(1)).await;
        assert_eq!((&user["role"], &user["plan"]), (&"admin".into(), &"pro".into()));
    }
}
