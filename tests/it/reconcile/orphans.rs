//! Rows whose user is gone, and rows that only look so.

use super::{assert_agreed, assert_counted, backfill, bring_back, crowded, reconcile, rows};
use crate::support::{Blocked, Program, SNAPSHOT_COLUMNS, deleted};
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
        let job = reconcile(&app).await;
        assert_counted(&job, &[("seen", 19), ("updated", 1), ("unchanged", 19), ("extra", 1)]);
        for column in SNAPSHOT_COLUMNS {
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
        let job = reconcile(&app).await;
        assert_counted(&job, &[("seen", 20), ("updated", 1), ("unchanged", 19), ("missing", 1)]);
        assert_agreed(&app);
        let mut again = app.user(&id).await;
        for local in ["updated_at", "synced_at"] {
            again[local] = before[local].clone();
        }
        assert_eq!(again, before);
    }

    async fn the_signed_deletion_finishes_what_the_job_began_and_a_job_finds_nothing_in_a_tombstone(engine) {
        let app = crowded(engine, 12).start().await;
        backfill(&app).await;
        let ids = app.emulator.issued_ids();
        app.lose(&ids[..2]);
        assert_eq!(reconcile(&app).await["counters"]["extra"], 2);
        for id in &ids[..3] {
            assert_eq!(app.send(&deleted(id)).await.outcome(), "applied");
        }
        // The third is at the provider still, and stays deleted here.
        let job = reconcile(&app).await;
        assert_counted(&job, &[("seen", 10), ("unchanged", 9), ("tombstoned", 1)]);
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

    async fn an_imported_row_of_a_user_whom_nobody_knows_is_found_and_one_of_a_known_user_is_not(engine) {
        let app = crowded(engine, 12).start().await;
        backfill(&app).await;
        let known = app.sign_up("Known");
        let file = format!("id,external_id\nrow-1,{known}\nrow-2,user_invented\nrow-3,user_unknown\n");
        let program = Program::on(&app.database);
        std::fs::write(program.directory().join("users"), file).unwrap();
        let run = program.run(&["import", "users"]);
        assert_eq!(run.status, Some(0), "{run:?}");
        assert_eq!(app.database.count("users_live WHERE source_created_at IS NULL"), 3);
        let job = reconcile(&app).await;
        assert_counted(&job, &[("seen", 13), ("updated", 3), ("unchanged", 12), ("stale", 1), ("extra", 2)]);
        assert_agreed(&app);
        let row = app.user("row-1").await;
        assert_eq!((&row["external_id"], &row["first_name"]), (&json!(known), &json!("Known")));
        assert_eq!(app.user("row-2").await["status"], "deleted");
        assert_eq!(app.user("row-3").await["source_created_at"], Value::Null);
        // Where the job has to fetch it alone.
        app.database.execute("UPDATE users SET source_created_at = NULL, last_fetched_at = NULL WHERE id = 'row-1'");
        let job = reconcile(&app).await;
        assert_counted(&job, &[("seen", 13), ("unchanged", 13)]);
        assert_agreed(&app);
    }
}
