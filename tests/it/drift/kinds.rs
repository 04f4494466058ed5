//! Every kind of difference, and the ids of its users.

use super::{assert_found, assert_reported, change, drift, in_step, named, reported, set, sign_up};
use crate::support::{ENTITLEMENT_COLUMNS, Engine, PROFILE_COLUMNS, TestApp, deleted};
use clerk_emulator::Outage;
use serde_json::json;

/// Deletes a user at the provider, and here by the signed event.
async fn delete(app: &TestApp, id: &str) {
    assert!(app.emulator.delete_user(id));
    assert_eq!(app.send(&deleted(id)).await.outcome(), "applied");
}

both_engines! {
    async fn a_table_that_agrees_has_none(engine) {
        let (app, _) = in_step(engine, 5).await;
        assert_found(&app, &[]).await;
    }

    async fn a_user_without_a_live_row_is_missing(engine) {
        let (app, ids) = in_step(engine, 5).await;
        app.database.execute(&format!("DELETE FROM users WHERE external_id = '{}'", ids[0]));
        let untold = sign_up(&app, 5, named(9));
        // A user who was absent, and is there again.
        let mut again = app.emulator.user(&ids[1]).unwrap();
        assert!(app.emulator.delete_user(&ids[1]));
        assert_eq!(app.resync_one(&ids[1]).await.0, "absent");
        again["updated_at"] = json!(again["updated_at"].as_i64().unwrap() + 1);
        assert!(app.emulator.put_user(&again));
        assert_found(&app, &[("missing", &[&ids[0], &untold, &ids[1]])]).await;
    }

    async fn a_row_that_shows_something_else_is_stale(engine) {
        let (app, ids) = in_step(engine, 5).await;
        change(&app, 5, &ids[0], "first_name", json!("Augusta"));
        change(&app, 5, &ids[1], "public_metadata", json!({"role": "admin"}));
        // A role and a version that an older configuration left behind.
        set(&app, &ids[2], "role = 'admin'");
        set(&app, &ids[3], "version_projection = 0");
        assert_found(&app, &[("stale", &[&ids[0], &ids[1], &ids[2], &ids[3]])]).await;
    }

    async fn an_operators_choice_is_not_stale(engine) {
        let (app, ids) = in_step(engine, 2).await;
        app.set_override(&ids[0], json!({"role": "admin", "plan": "pro"})).await;
        assert_found(&app, &[]).await;
    }

    async fn a_row_whose_user_is_gone_is_extra(engine) {
        let (app, ids) = in_step(engine, 5).await;
        for id in &ids[..3] {
            assert!(app.emulator.delete_user(id));
        }
        // One without a creation time, and one that no page covers.
        set(&app, &ids[1], "source_created_at = NULL");
        set(&app, &ids[2], "source_created_at = '2099-01-01T00:00:00.000Z'");
        assert_found(&app, &[("extra", &[&ids[0], &ids[1], &ids[2]])]).await;
    }

    async fn trap_36_no_row_is_extra_because_a_list_is_empty(engine) {
        let (app, _) = in_step(engine, 5).await;
        app.emulator.set_outage(Outage::EmptyLists);
        assert_found(&app, &[]).await;
    }

    async fn a_value_at_the_provider_that_is_not_ours_is_a_conflict(engine) {
        let (app, ids) = in_step(engine, 5).await;
        let own = app.user(&ids[0]).await["id"].clone();
        let theirs = [
            json!({"dbId": own, "role": "user"}),
            json!({"dbId": "another", "role": "user"}),
            json!({"dbId": 7}),
            json!({"role": "wizard"}),
        ];
        for (id, metadata) in ids.iter().zip(theirs) {
            change(&app, 5, id, "public_metadata", metadata);
        }
        assert_eq!(app.resync(&ids).await.status, 200);
        assert_found(&app, &[("conflicts", &[&ids[1], &ids[2], &ids[3]])]).await;
    }

    async fn an_unreadable_user_is_no_difference_and_no_success(engine) {
        let (app, ids) = in_step(engine, 3).await;
        change(&app, 5, &ids[0], "public_metadata", json!("no object"));
        let run = drift(&app, &[]).await;
        assert_eq!(run.status, Some(1), "{run:?}");
        assert!(run.stderr.contains("user(s) were left out"), "{run:?}");
        let report = reported(&app).await;
        assert_reported(&report, &[]);
        assert_eq!(report["seen"], 3);
        assert!(report["failed"].as_u64() > Some(0), "{report}");
    }

    async fn what_is_left_of_a_deleted_user_is_reported(engine) {
        let (app, ids) = in_step(engine, 8).await;
        app.set_override(&ids[4], json!({"role": "admin"})).await;
        for id in &ids[..4] {
            delete(&app, id).await;
        }
        for id in &ids[4..6] {
            assert!(app.emulator.delete_user(id));
            assert_eq!(app.resync_one(id).await.0, "absent");
        }
        // An override of an absent user is not personal.
        assert_eq!(app.column(&ids[4], "set_role").as_deref(), Some("admin"));
        assert_found(&app, &[]).await;
        set(&app, &ids[0], "email = 'ada@example.org'");
        let time = "2026-01-01T00:00:00.000Z";
        app.database.execute(&format!(
            "INSERT INTO quarantine (source, message_id, type, reason, body, size_bytes, received_at) \
             VALUES ('clerk', 'msg_1', 'user.updated', 'x', 'Ada', 3, '{time}'); \
             INSERT INTO quarantine_subjects (source, message_id, subject) VALUES ('clerk', 'msg_1', '{}'); \
             INSERT INTO write_backs (source, external_id, next_try_at, created_at) \
             VALUES ('clerk', '{}', '{time}', '{time}')", ids[1], ids[2]).replace("'Ada'", body(engine)));
        set(&app, &ids[5], "name = 'Ada'");
        assert_found(&app, &[("unerased", &[&ids[0], &ids[1], &ids[2], &ids[5]])]).await;
    }

    async fn every_column_that_a_deletion_empties_is_looked_at(engine) {
        let (app, ids) = in_step(engine, 3).await;
        delete(&app, &ids[0]).await;
        assert!(app.emulator.delete_user(&ids[1]));
        assert_eq!(app.resync_one(&ids[1]).await.0, "absent");
        let text = PROFILE_COLUMNS.into_iter().chain(ENTITLEMENT_COLUMNS);
        let mut set_to: Vec<(&str, &str)> = text.map(|column| (column, "'x'")).collect();
        let yes = if engine == Engine::Sqlite { "1" } else { "true" };
        let time = "'2026-01-01T00:00:00.000Z'";
        set_to.extend([("email_verified", yes), ("public_metadata", "'{\"a\":1}'")]);
        set_to.extend([("locked_until", time), ("source_created_at", time)]);
        let of_signed = [("set_role", "'x'"), ("set_plan", "'x'"), ("last_sign_in_at", time), ("last_fetched_at", time)];
        for (id, columns) in [(&ids[0], [&set_to[..], &of_signed].concat()), (&ids[1], set_to)] {
            for (column, value) in columns {
                let before = app.database.query(&format!(
                    "SELECT CAST({column} AS text) AS value FROM users WHERE external_id = '{id}'"));
                set(&app, id, &format!("{column} = {value}"));
                let report = super::job(&app, "drift").await["drift"].clone();
                assert_eq!(report["unerased"], json!({"count": 1, "ids": [id]}), "{column}");
                set(&app, id, &format!("{column} = {}", literal(before[0].as_deref(), column)));
            }
        }
        assert_found(&app, &[]).await;
    }

    async fn differences_of_every_kind_are_reported_together(engine) {
        let (app, ids) = in_step(engine, 5).await;
        let missing = sign_up(&app, 5, named(9));
        change(&app, 5, &ids[0], "last_name", json!("Byron"));
        assert!(app.emulator.delete_user(&ids[1]));
        change(&app, 5, &ids[2], "public_metadata", json!({"dbId": "another"}));
        delete(&app, &ids[3]).await;
        set(&app, &ids[3], "name = 'Ada'");
        assert_found(&app, &[
            ("missing", &[&missing]),
            ("stale", &[&ids[0], &ids[2]]),
            ("extra", &[&ids[1]]),
            ("conflicts", &[&ids[2]]),
            ("unerased", &[&ids[3]]),
        ]).await;
        // Reconcile heals all of that but the conflict and the erased user.
        assert_eq!(super::job(&app, "reconcile").await["state"], "succeeded");
        set(&app, &ids[3], "name = NULL");
        assert_found(&app, &[("conflicts", &[&ids[2]])]).await;
    }
}

/// A body of a few bytes as each engine writes it down.
fn body(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "'\\x416461'",
        Engine::Sqlite => "x'416461'",
    }
}

/// What a column held, as it is written in a statement.
fn literal(value: Option<&str>, column: &str) -> String {
    match value {
        None => "NULL".to_owned(),
        Some("0") => "0".to_owned(),
        Some(value) if column == "email_verified" => value.to_owned(),
        Some(value) => format!("'{value}'"),
    }
}
