//! Rows whose user is gone, rows that only look so, and rows that an older release or another
//! configuration made.

use super::{
    assert_agreed, assert_counted, backfill, backfilled, bring_back, crowded, reconcile, rows,
};
use crate::support::{
    Blocked, ENTITLEMENT_COLUMNS, NO_WRITE_BACK, PROFILE_COLUMNS, Program, TestApp, deleted,
};
use serde_json::{Value, json};

both_engines! {
    async fn a_row_whose_user_is_gone_is_emptied_as_an_absence_empties_it_and_comes_back(engine) {
        let app = crowded(engine, 20).start().await;
        let users = app.emulator.users();
        let id = users[8]["id"].as_str().unwrap().to_owned();
        app.emulator.update_user(&id, json!({"last_sign_in_at": 1_700_000_000_000_i64})).unwrap();
        backfill(&app).await;
        app.set_override(&id, json!({"role": "user", "plan": "gold"})).await;
        let before = app.user(&id).await;
        let kept = || ["set_role", "set_plan", "last_sign_in_at"].map(|column| app.column(&id, column));
        let chosen = kept();
        let gone = app.lose(std::slice::from_ref(&id));
        assert_counted(&reconcile(&app).await, &[("seen", 19), ("updated", 1), ("unchanged", 19), ("extra", 1)]);
        for column in PROFILE_COLUMNS.into_iter().chain(ENTITLEMENT_COLUMNS).chain(["source_created_at"]) {
            assert_eq!(app.column(&id, column), None, "{column}");
        }
        assert_eq!(app.column(&id, "public_metadata").as_deref(), Some("{}"));
        assert_eq!(app.column(&id, "deletion_kind").as_deref(), Some("absent"));
        assert_eq!(kept(), chosen);
        assert!(chosen.iter().all(Option::is_some), "{chosen:?}");
        assert_eq!(app.database.count("absences WHERE state = 'emptied'"), 1);
        let after = app.user(&id).await;
        assert_eq!((&after["id"], &after["status"]), (&before["id"], &json!("deleted")));

        let emptied_rows = rows(&app.database);
        assert_counted(&reconcile(&app).await, &[("seen", 19), ("unchanged", 19)]);
        assert_eq!(rows(&app.database), emptied_rows);

        bring_back(&app, &gone);
        assert_counted(&reconcile(&app).await, &[("seen", 20), ("updated", 1), ("unchanged", 19), ("missing", 1)]);
        assert_agreed(&app);
        let mut again = app.user(&id).await;
        for local in ["updated_at", "synced_at"] {
            again[local] = before[local].clone();
        }
        assert_eq!(again, before);
    }

    async fn a_row_that_was_fetched_while_a_clock_was_ahead_is_found_when_its_user_is_gone(engine) {
        let app = backfilled(engine, 12).await;
        let ids = app.emulator.issued_ids();
        app.database.execute(&format!(
            "UPDATE users SET version_seen_at = version_seen_at + 2592000000, last_fetched_at = '2999-01-01T00:00:00.000Z' \
             WHERE external_id IN ('{}', '{}')",
            ids[0], ids[1]
        ));
        app.lose(&ids[..1]);
        assert_counted(&reconcile(&app).await, &[("seen", 11), ("updated", 1), ("unchanged", 11), ("extra", 1)]);
        assert_eq!(app.column(&ids[0], "deletion_kind").as_deref(), Some("absent"));
        assert_eq!(app.column(&ids[0], "email"), None);
    }

    async fn the_signed_deletion_finishes_what_the_job_began_and_a_job_finds_nothing_in_a_tombstone(engine) {
        let app = backfilled(engine, 12).await;
        let ids = app.emulator.issued_ids();
        app.lose(&ids[..2]);
        assert_eq!(reconcile(&app).await["counters"]["extra"], 2);
        for id in &ids[..3] {
            assert_eq!(app.send(&deleted(id)).await.outcome(), "applied");
        }
        // The third is at the provider still, and stays deleted here.
        assert_counted(&reconcile(&app).await, &[("seen", 10), ("unchanged", 9), ("tombstoned", 1)]);
        assert_eq!(app.database.count("users WHERE deletion_kind = 'signed'"), 3);
    }

    async fn users_who_sign_up_while_the_job_runs_are_never_emptied(engine) {
        let (app, proxy) = crowded(engine, 30).start_behind_proxy().await;
        backfill(&app).await;
        let ids = app.emulator.issued_ids();
        app.lose(&ids[4..6]);
        // All pages are read: what is asked is whether the last user is still there.
        proxy.block(Blocked::Fetches);
        let job = app.start_job(json!({"kind": "reconcile"})).await;
        proxy.until_held(1).await;
        let new: Vec<String> = (0..12).map(|number| app.sign_up(&format!("Late{number}"))).collect();
        for id in &new {
            assert_eq!(app.send(&app.event_of(id)).await.outcome(), "applied");
        }
        proxy.block(Blocked::Nothing);
        let job = app.ended_job(&job).await;
        assert_counted(&job, &[("seen", 28), ("updated", 2), ("unchanged", 28), ("extra", 2)]);
        assert_eq!(app.emptied(), 2);
        assert_agreed(&app);
    }

    async fn an_imported_row_of_an_unknown_user_is_extra_and_one_of_a_known_user_is_not(engine) {
        let app = backfilled(engine, 12).await;
        let known = app.sign_up("Known");
        let file = format!("id,external_id\nrow-1,{known}\nrow-2,user_invented\nrow-3,user_unknown\n");
        let program = Program::on(&app.database);
        std::fs::write(program.directory().join("users"), file).unwrap();
        let run = program.run(&["import", "users"]);
        assert_eq!(run.status, Some(0), "{run:?}");
        assert_eq!(app.database.count("users_live WHERE source_created_at IS NULL"), 3);
        assert_counted(&reconcile(&app).await, &[("seen", 13), ("updated", 3), ("unchanged", 12), ("stale", 1), ("extra", 2)]);
        assert_agreed(&app);
        let row = app.user("row-1").await;
        assert_eq!((&row["external_id"], &row["first_name"]), (&json!(known), &json!("Known")));
        assert_eq!(app.user("row-2").await["status"], "deleted");
        assert_eq!(app.user("row-3").await["source_created_at"], Value::Null);
        // Where the job has to fetch it alone.
        app.database.execute("UPDATE users SET source_created_at = NULL, last_fetched_at = NULL WHERE id = 'row-1'");
        assert_counted(&reconcile(&app).await, &[("seen", 13), ("updated", 1), ("unchanged", 12), ("stale", 1)]);
        assert_agreed(&app);
    }

    async fn rows_of_an_older_projection_are_repaired_and_counted_as_stale(engine) {
        let app = backfilled(engine, 20).await;
        let ids = app.emulator.issued_ids();
        // An older mapping made something else of the same payload.
        for id in &ids[..4] {
            app.database.execute(&format!(
                "UPDATE users SET version_projection = 0, first_name = 'Mismapped' WHERE external_id = '{id}'"
            ));
        }
        assert_counted(&reconcile(&app).await, &[("seen", 20), ("updated", 4), ("unchanged", 16), ("stale", 4)]);
        assert_agreed(&app);
        assert_eq!(app.database.count("users WHERE version_projection = 1"), 20);
        let before = rows(&app.database);
        assert_counted(&reconcile(&app).await, &[("seen", 20), ("unchanged", 20)]);
        assert_eq!(rows(&app.database), before);
    }

    async fn rows_whose_words_no_longer_follow_the_configuration_are_repaired_and_counted_as_stale(engine) {
        let app = crowded(engine, 0).start().await;
        let words = ["user", "admin", "wizard", "wizard", "wizard"];
        let ids = words.map(|role| {
            let id = app.sign_up(&format!("User{}", app.emulator.issued_ids().len()));
            app.emulator.merge_public_metadata(&id, json!({ "role": role })).unwrap();
            id
        });
        backfill(&app).await;
        app.set_override(&ids[4], json!({"role": "admin"})).await;
        let roles = |app: &TestApp| ids.each_ref().map(|id| app.column(id, "role").unwrap());
        assert_eq!(roles(&app), ["user", "admin", "user", "user", "admin"]);
        let (database, emulator) = app.stop().await;
        let variables = [NO_WRITE_BACK, ("USERSYNC_ROLES", "user,wizard")];
        let app = TestApp::builder(database).emulator(&emulator).manual_events().variables(&variables).start().await;
        let job = reconcile(&app).await;
        assert_eq!(roles(&app), ["user", "user", "wizard", "wizard", "admin"]);
        assert_counted(&job, &[("seen", 5), ("updated", 3), ("unchanged", 2), ("stale", 3)]);
        let before = rows(&app.database);
        assert_counted(&reconcile(&app).await, &[("seen", 5), ("unchanged", 5)]);
        assert_eq!(rows(&app.database), before);
    }

    async fn users_who_are_back_after_an_absence_count_as_missing(engine) {
        let app = backfilled(engine, 20).await;
        let ids = app.emulator.issued_ids();
        app.set_override(&ids[0], json!({"role": "admin", "plan": "pro"})).await;
        app.empty_absent(&ids[..3], 0).await;
        assert_eq!(app.database.count("users_live"), 17);
        assert_counted(&reconcile(&app).await, &[("seen", 20), ("updated", 3), ("unchanged", 17), ("missing", 3)]);
        assert_agreed(&app);
        let row = app.user(&ids[0]).await;
        assert_eq!((&row["role"], &row["plan"]), (&json!("admin"), &json!("pro")));
    }
}
