//! Rows whose user is gone, and rows that only look so.

use super::{
    assert_agreed, assert_counted, backfill, bring_back, crowded, crowded_behind_relay, emptied,
    lose, reconcile, rows,
};
use crate::both_engines;
use crate::support::{Blocked, Program, deleted};
use serde_json::{Value, json};

/// Everything that a snapshot brings.
const SNAPSHOTS_OWN: [&str; 14] = [
    "source_external_id",
    "email",
    "email_lower",
    "phone",
    "username",
    "first_name",
    "last_name",
    "name",
    "image_url",
    "role",
    "source_role",
    "plan",
    "source_plan",
    "source_created_at",
];

both_engines! {
    async fn a_row_whose_user_is_gone_is_emptied_as_an_absence_empties_it_and_comes_back(engine) {
        let both = crowded(engine, 20).await;
        let users = both.emulator.users();
        let id = users[8]["id"].as_str().unwrap().to_owned();
        both.emulator.update_user(&id, json!({"last_sign_in_at": 1_700_000_000_000_i64})).unwrap();
        backfill(&both).await;
        both.set_here(&id, json!({"role": "user", "plan": "gold"})).await;
        let before = both.user(&id).await;
        let kept = || ["set_role", "set_plan", "last_sign_in_at"].map(|column| both.column(&id, column));
        let chosen = kept();
        let gone = lose(&both, std::slice::from_ref(&id));
        let job = reconcile(&both).await;
        assert_counted(&job, &[("seen", 19), ("updated", 1), ("unchanged", 19), ("extra", 1)]);
        for column in SNAPSHOTS_OWN {
            assert_eq!(both.column(&id, column), None, "{column}");
        }
        assert_eq!(both.column(&id, "public_metadata").as_deref(), Some("{}"));
        assert_eq!(both.column(&id, "deletion_kind").as_deref(), Some("absent"));
        assert_eq!(kept(), chosen);
        assert!(chosen.iter().all(Option::is_some), "{chosen:?}");
        assert_eq!(both.database.count("absences WHERE state = 'emptied'"), 1);
        let after = both.user(&id).await;
        assert_eq!((&after["id"], &after["status"]), (&before["id"], &json!("deleted")));

        let emptied_rows = rows(&both.database);
        assert_counted(&reconcile(&both).await, &[("seen", 19), ("unchanged", 19)]);
        assert_eq!(rows(&both.database), emptied_rows);

        bring_back(&both, &gone);
        let job = reconcile(&both).await;
        assert_counted(&job, &[("seen", 20), ("updated", 1), ("unchanged", 19), ("missing", 1)]);
        assert_agreed(&both);
        let mut again = both.user(&id).await;
        for local in ["updated_at", "synced_at"] {
            again[local] = before[local].clone();
        }
        assert_eq!(again, before);
    }

    async fn the_signed_deletion_finishes_what_the_job_began_and_a_job_finds_nothing_in_a_tombstone(engine) {
        let both = crowded(engine, 12).await;
        backfill(&both).await;
        let ids = both.emulator.issued_ids();
        lose(&both, &ids[..2]);
        assert_eq!(reconcile(&both).await["counters"]["extra"], 2);
        for id in &ids[..3] {
            assert_eq!(both.send(&deleted(id)).await.outcome(), "applied");
        }
        // The third is at the provider still, and stays deleted here.
        let job = reconcile(&both).await;
        assert_counted(&job, &[("seen", 10), ("unchanged", 9), ("tombstoned", 1)]);
        assert_eq!(both.database.count("users WHERE deletion_kind = 'signed'"), 3);
    }

    async fn users_who_sign_up_while_the_job_runs_are_never_emptied(engine) {
        let (both, relay) = crowded_behind_relay(engine, 30).await;
        backfill(&both).await;
        let ids = both.emulator.issued_ids();
        lose(&both, &ids[4..6]);
        // All pages are read: what is asked is whether the last user is still there.
        relay.block(Blocked::Looks);
        let job = super::ask_for(&both, json!({"kind": "reconcile"})).await;
        relay.until_held(1).await;
        let new: Vec<String> = (0..12).map(|number| both.sign_up(&format!("Late{number}"))).collect();
        for id in &new {
            assert_eq!(both.send(&both.event_of(id)).await.outcome(), "applied");
        }
        relay.block(Blocked::Nothing);
        let job = super::ended(&both, &job).await;
        assert_counted(&job, &[("seen", 28), ("updated", 2), ("unchanged", 28), ("extra", 2)]);
        assert_eq!(emptied(&both), 2);
        assert_agreed(&both);
    }

    async fn an_imported_row_of_a_user_whom_nobody_knows_is_found_and_one_of_a_known_user_is_not(engine) {
        let both = crowded(engine, 12).await;
        backfill(&both).await;
        let known = both.sign_up("Known");
        let file = format!("id,external_id\nrow-1,{known}\nrow-2,user_invented\nrow-3,user_unknown\n");
        let program = Program::on(&both.database);
        std::fs::write(program.directory().join("users"), file).unwrap();
        let run = program.run(&["import", "users"]);
        assert_eq!(run.status, Some(0), "{run:?}");
        assert_eq!(both.database.count("users_live WHERE source_created_at IS NULL"), 3);
        let job = reconcile(&both).await;
        assert_counted(&job, &[("seen", 13), ("updated", 3), ("unchanged", 12), ("stale", 1), ("extra", 2)]);
        assert_agreed(&both);
        let row = both.user("row-1").await;
        assert_eq!((&row["external_id"], &row["first_name"]), (&json!(known), &json!("Known")));
        assert_eq!(both.user("row-2").await["status"], "deleted");
        assert_eq!(both.user("row-3").await["source_created_at"], Value::Null);
        // Where the job would rather have asked about it by itself.
        both.database.execute("UPDATE users SET source_created_at = NULL, last_fetched_at = NULL WHERE id = 'row-1'");
        let job = reconcile(&both).await;
        assert_counted(&job, &[("seen", 13), ("unchanged", 13)]);
        assert_agreed(&both);
    }
}
