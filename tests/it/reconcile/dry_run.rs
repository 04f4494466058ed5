//! A dry run counts the same as a real one, and what would be written back; it changes nothing.

use super::healing::{found, in_step, plant};
use super::{assert_agreed, assert_counted, backfill, forgotten, reconcile, rows};
use crate::support::{Engine, NO_WRITE_BACK, TestApp, TestEmulator, deleted};
use serde_json::{Value, json};

const OWN_IDS: (&str, &str) = ("USERSYNC_USER_ID", "external");

async fn preview(app: &TestApp, kind: &str) -> Value {
    // All but this very job.
    let everything = || (app.database.dump_but(&["jobs: "]), rows(&app.database));
    let before = everything();
    let job = app.run_job(json!({"kind": kind, "dry_run": true})).await;
    assert_eq!(job["dry_run"], true, "{job}");
    forgotten(app).await;
    assert!(before == everything(), "a dry run changed something: {job}");
    assert_eq!(app.emulator.counts().requests_of("metadata_patch"), 0);
    job
}

fn would_write(job: &Value, users: usize, [id, role, plan]: [usize; 3], conflicts: usize) {
    let expected =
        json!({"users": users, "id": id, "role": role, "plan": plan, "conflicts": conflicts});
    assert_eq!(job["write_back"], expected, "{job}");
}

both_engines! {
    async fn a_dry_run_counts_what_a_real_one_then_does((app, _relay) = in_step) {
        let planted = plant(&app);
        app.database.execute("DELETE FROM pinned_instances");
        let dry = preview(&app, "reconcile").await;
        assert_counted(&dry, &found(&app, &planted));
        assert_eq!(app.database.count("pinned_instances"), 0);
        let done = reconcile(&app).await;
        assert_eq!((&dry["counters"], &done["write_back"]), (&done["counters"], &Value::Null));
        assert_agreed(&app);
        let users = app.emulator.users().len();
        assert_counted(&preview(&app, "reconcile").await, &[("seen", users), ("unchanged", users)]);
    }

    async fn a_dry_run_on_an_empty_table_pins_no_instance_and_makes_no_row(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        for name in ["Ada", "Grace", "Radia"] {
            app.sign_up(name);
        }
        for kind in ["backfill", "reconcile"] {
            let dry = preview(&app, kind).await;
            assert_counted(&dry, &[("seen", 3), ("created", 3), ("missing", 3)]);
            would_write(&dry, 3, [3, 3, 0], 0);
        }
        for table in ["users", "pinned_instances", "write_backs", "absences", "job_candidates"] {
            assert_eq!(app.database.count(table), 0, "{table}");
        }
    }

    async fn a_dry_run_says_what_would_be_written_to_the_provider_and_what_stands_in_the_way(app = various) {
        let dry = preview(&app, "reconcile").await;
        assert_counted(&dry, &[("seen", 8), ("unchanged", 6), ("created", 1), ("missing", 1), ("tombstoned", 1)]);
        // Our id for those without one, a role likewise, and what an operator chose.
        would_write(&dry, 5, [3, 4, 1], 3);
    }
}

/// A user of each kind that write-back distinguishes. Nothing was written back.
async fn various(engine: Engine) -> TestApp {
    let variables = [NO_WRITE_BACK, OWN_IDS];
    let app = TestApp::builder(engine)
        .emulator(&TestEmulator::start())
        .manual_events()
        .variables(&variables)
        .start()
        .await;
    let signed_up = |name: &str, metadata: Value| {
        let id = app.sign_up(name);
        app.emulator.merge_public_metadata(&id, metadata).unwrap();
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
        app.emulator.merge_public_metadata(id, json!({"dbId": id})).unwrap();
    }
    assert_eq!(backfill(&app).await["counters"]["created"], 7);
    app.set_override(&chosen, json!({"role": "admin", "plan": "pro"})).await;
    assert_eq!(app.send(&deleted(&dead)).await.outcome(), "applied");
    app.sign_up("Unknown");
    app
}
