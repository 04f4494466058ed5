//! A dry run tells the same as a real one, and what would be written to the provider; it changes
//! nothing.

use super::healing::{found, in_step, plant};
use super::{assert_agreed, assert_counted, backfill, forgotten, reconcile, rows, run};
use crate::both_engines;
use crate::support::{Emulated, Engine, NO_WRITE_BACK, TestDatabase, deleted, emulator};
use serde_json::{Value, json};

const OWN_IDS: (&str, &str) = ("USERSYNC_USER_ID", "external");

/// Every table but that of jobs, which tells of this very one.
fn everything_else(database: &TestDatabase) -> Vec<String> {
    let mut lines: Vec<String> = database.dump().lines().map(str::to_owned).collect();
    lines.retain(|line| !line.starts_with("jobs: "));
    lines.sort_unstable();
    lines
}

async fn preview(both: &Emulated, kind: &str) -> Value {
    let before = (everything_else(&both.database), rows(&both.database));
    let job = run(both, json!({"kind": kind, "dry_run": true})).await;
    assert_eq!(job["dry_run"], true, "{job}");
    forgotten(both).await;
    let after = (everything_else(&both.database), rows(&both.database));
    assert!(before == after, "a dry run changed something: {job}");
    assert_eq!(both.emulator.counts().requests_of("metadata_patch"), 0);
    job
}

fn would_write(job: &Value, users: usize, [id, role, plan]: [usize; 3], conflicts: usize) {
    let expected =
        json!({"users": users, "id": id, "role": role, "plan": plan, "conflicts": conflicts});
    assert_eq!(job["write_back"], expected, "{job}");
}

both_engines! {
    async fn a_dry_run_counts_what_a_real_one_then_does(engine) {
        let (both, _relay) = in_step(engine).await;
        let planted = plant(&both);
        both.database.execute("DELETE FROM pinned_instances");
        let told = preview(&both, "reconcile").await;
        assert_counted(&told, &found(&both, &planted));
        assert_eq!(both.database.count("pinned_instances"), 0);
        let done = reconcile(&both).await;
        assert_eq!((&told["counters"], &done["write_back"]), (&done["counters"], &Value::Null));
        assert_agreed(&both);
        let users = both.emulator.users().len();
        assert_counted(&preview(&both, "reconcile").await, &[("seen", users), ("unchanged", users)]);
    }

    async fn a_dry_run_on_an_empty_table_pins_no_instance_and_makes_no_row(engine) {
        let both = Emulated::start_hearing(engine, &[]).await;
        for name in ["Ada", "Grace", "Radia"] {
            both.sign_up(name);
        }
        for kind in ["backfill", "reconcile"] {
            let told = preview(&both, kind).await;
            assert_counted(&told, &[("seen", 3), ("created", 3), ("missing", 3)]);
            would_write(&told, 3, [3, 3, 0], 0);
        }
        for table in ["users", "pinned_instances", "write_backs", "absences", "job_candidates"] {
            assert_eq!(both.database.count(table), 0, "{table}");
        }
    }

    async fn a_dry_run_says_what_would_be_written_to_the_provider_and_what_stands_in_the_way(engine) {
        let both = various(engine).await;
        let told = preview(&both, "reconcile").await;
        assert_counted(&told, &[("seen", 8), ("unchanged", 6), ("created", 1), ("missing", 1), ("tombstoned", 1)]);
        // Our id for those without one, a role likewise, and what an operator chose.
        would_write(&told, 5, [3, 4, 1], 3);
    }
}

/// A user of each kind that there is for write-back. Rows are there, and nothing was written back.
async fn various(engine: Engine) -> Emulated {
    let variables = [NO_WRITE_BACK, OWN_IDS];
    let both = Emulated::start_hearing_on(TestDatabase::new(engine), emulator(), &variables).await;
    let signed_up = |name: &str, metadata: Value| {
        let id = both.sign_up(name);
        both.emulator.merge_public_metadata(&id, metadata).unwrap();
        id
    };
    signed_up("Bare", json!({"theme": "dark"}));
    signed_up("ForeignId", json!({"dbId": "another"}));
    signed_up("Both", json!({"dbId": "another", "role": "wizard"}));
    signed_up("ForeignRole", json!({"role": "wizard"}));
    let settled = signed_up("Settled", json!({"role": "user"}));
    let chosen = signed_up("Chosen", json!({"role": "user"}));
    let dead = signed_up("Dead", json!({}));
    for id in [&settled, &chosen] {
        both.emulator.merge_public_metadata(id, json!({"dbId": id})).unwrap();
    }
    assert_eq!(backfill(&both).await["counters"]["created"], 7);
    both.set_here(&chosen, json!({"role": "admin", "plan": "pro"})).await;
    assert_eq!(both.send(&deleted(&dead)).await.outcome(), "applied");
    both.sign_up("Unknown");
    both
}
