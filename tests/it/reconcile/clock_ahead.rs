//! One of two replicas has a clock that is a month ahead for a while: what it wrote hides nothing
//! from the other, and one reconcile brings all into step.

use super::{assert_agreed, assert_counted, bring_back, reconcile};
use crate::support::{
    Engine, TestApp, TestAppBuilder, TestEmulator, configuration, deleted, outcomes,
};
use serde_json::{Value, json};
use std::time::Duration;
use usersync::store::{Clock, Store};

const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A clock that is ahead.
fn month_ahead() -> Clock {
    let right = Clock::default();
    Clock::new(move || right.machine_now().plus(MONTH))
}

fn replica(app: &TestApp) -> TestAppBuilder {
    TestApp::builder(&app.database).emulator(&app.emulator).manual_events()
}

/// What a replica does with its API key.
async fn work(app: &TestApp, ids: &[String]) {
    let job = app.run_job(json!({"kind": "backfill"})).await;
    assert_eq!(job["counters"]["created"], ids.len(), "{job}");
    app.quiet().await;
    assert_eq!(outcomes(&app.resync(&ids[..3]).await), ["unchanged"; 3]);
    app.set_override(&ids[3], json!({"role": "admin"})).await;
    app.quiet().await;
    assert_eq!(app.emulator.user(&ids[3]).unwrap()["public_metadata"]["role"], "admin");
}

both_engines! {
    async fn what_a_replica_did_whose_clock_was_ahead_is_healed_by_one_reconcile(engine) {
        let emulator = TestEmulator::with_users(20);
        let ids = emulator.issued_ids();
        let builder = TestApp::builder(engine).emulator(&emulator).manual_events();
        let right = builder.variables(&[("USERSYNC_WORKERS", "off")]).start().await;
        let ahead = replica(&right).clock(month_ahead()).start().await;
        work(&ahead, &ids).await;
        let gone = ahead.lose(&ids[4..6]);
        assert_eq!(ahead.resync_one(&ids[4]).await.0, "absent");
        assert_counted(&reconcile(&ahead).await, &[("seen", 18), ("updated", 1), ("unchanged", 18), ("extra", 1)]);
        assert!(emulator.delete_user(&ids[6]));
        assert_eq!(right.send(&deleted(&ids[6])).await.outcome(), "applied");
        if engine == Engine::Postgres {
            let lies_ahead = "users WHERE version_kind = 2 AND deletion_kind IS DISTINCT FROM 'signed' \
                AND to_timestamp(version_seen_at / 1000.0) > now() OR last_fetched_at > now()";
            assert_eq!(right.database.count(lies_ahead), 0);
        }
        ahead.stop().await;

        bring_back(&right, &gone);
        right.lose(&ids[7..9]);
        emulator.update_user(&ids[9], json!({"first_name": "Augusta"})).unwrap();
        let healed = replica(&right).start().await;
        let job = reconcile(&healed).await;
        let counted = ["missing", "stale", "extra"].map(|name| job["counters"][name].clone());
        assert_eq!(counted, [json!(2), json!(1), json!(2)], "{job}");
        assert_agreed(&healed);
        let drift = healed.run_job(json!({"kind": "drift"})).await["drift"].clone();
        for kind in ["missing", "stale", "newer", "extra", "conflicts", "unerased"] {
            assert_eq!(drift[kind]["count"], 0, "{kind} of {drift}");
        }
        assert_eq!(healed.user(&ids[6]).await["email"], Value::Null);
        assert_eq!(healed.user(&ids[3]).await["role"], "admin");
    }

    async fn a_lease_of_a_write_back_that_was_given_while_the_clock_was_ahead_is_over(engine) {
        let builder = TestApp::builder(engine).emulated().manual_events();
        let app = builder.variables(&[("USERSYNC_WORKERS", "off")]).start().await;
        let id = app.sign_up("Ada");
        assert_eq!(app.send(&app.event_of(&id)).await.outcome(), "applied");
        app.database.execute("UPDATE write_backs SET leased_until = '2999-01-01T00:00:00.000Z'");
        let worker = replica(&app).start().await;
        worker.quiet().await;
        assert_eq!(app.metadata(&id)["role"], "user");
    }

    async fn a_write_back_that_was_put_off_while_the_clock_was_ahead_is_due_again(engine) {
        let builder = TestApp::builder(engine).emulated().manual_events();
        let app = builder.variables(&[("USERSYNC_WORKERS", "off")]).start().await;
        let id = app.sign_up("Ada");
        assert_eq!(app.send(&app.event_of(&id)).await.outcome(), "applied");
        let ahead = "'2999-01-01T00:00:00.000Z'";
        app.database.execute(&format!("UPDATE write_backs SET next_try_at = {ahead}, leased_until = {ahead}"));
        let store = Store::new(&configuration(&app.database, &[]).database);
        // As the writer does each minute.
        tokio::task::spawn_blocking(move || store.writer().end_pauses_ahead().unwrap()).await.unwrap();
        let worker = replica(&app).start().await;
        worker.quiet().await;
        assert_eq!(app.metadata(&id)["role"], "user");
    }
}
