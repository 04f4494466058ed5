//! What is young, or was healed meanwhile, is not reported; and a search changes nothing.

use super::{
    assert_found, assert_reported, change, drift, held_search, in_step, in_step_behind_proxy, job,
    named, reported, sign_up,
};
use crate::support::{ADMIN_TOKEN, Blocked, TestApp, TestEmulator, deleted};
use serde_json::json;

both_engines! {
    async fn a_difference_of_the_last_minute_is_in_flight(engine) {
        let (app, ids) = in_step(engine, 3).await;
        sign_up(&app, 0, named(9));
        change(&app, 0, &ids[0], "first_name", json!("Augusta"));
        change(&app, 0, &ids[1], "public_metadata", json!({"dbId": "another"}));
        let run = drift(&app, &[]).await;
        assert_eq!(run.status, Some(0), "{run:?}");
        assert!(run.stdout.contains(&format!("{:>10} in flight", 3)), "{run:?}");
        let report = reported(&app).await;
        assert_reported(&report, &[]);
        assert_eq!((&report["in_flight"], &report["seen"]), (&json!(3), &json!(4)));
    }

    async fn a_difference_that_the_provider_dates_ahead_is_not_young(engine) {
        let (app, ids) = in_step(engine, 3).await;
        change(&app, -60 * 24, &ids[0], "first_name", json!("Augusta"));
        assert_found(&app, &[("stale", &[&ids[0]])]).await;
    }

    async fn older_differences_count_beside_younger_ones(engine) {
        let (app, ids) = in_step(engine, 3).await;
        change(&app, 0, &ids[0], "first_name", json!("Augusta"));
        change(&app, 2, &ids[1], "first_name", json!("Augusta"));
        let old = sign_up(&app, 2, named(9));
        sign_up(&app, 0, named(10));
        assert_found(&app, &[("missing", &[&old]), ("stale", &[&ids[1]])]).await;
        assert_eq!(reported(&app).await["in_flight"], 2);
    }

    async fn a_difference_that_an_event_heals_during_the_search_is_none(engine) {
        let (app, proxy, ids) = in_step_behind_proxy(engine, 4).await;
        let new = [sign_up(&app, 5, named(8)), sign_up(&app, 5, named(9))];
        for id in &ids[..3] {
            change(&app, 5, id, "first_name", json!("Augusta"));
        }
        change(&app, 5, &ids[3], "public_metadata", json!({"dbId": "another"}));
        let id = held_search(&app, &proxy, 6).await;
        for id in [&ids[0], &ids[1], &new[0]] {
            assert_eq!(app.send(&app.event_of(id)).await.outcome(), "applied");
        }
        // The provider's metadata changed, so this row is compared by the next search.
        assert_eq!(app.send(&app.event_of(&ids[3])).await.outcome(), "applied");
        proxy.block(Blocked::Nothing);
        let job = app.ended_job(&id).await;
        assert_eq!((&job["counters"]["stale"], &job["counters"]["missing"]), (&json!(4), &json!(2)));
        assert_reported(&job["drift"], &[("stale", &[&ids[2]]), ("missing", &[&new[1]])]);
        assert_reported(&reported(&app).await, &[("stale", &[&ids[2]]), ("missing", &[&new[1]])]);
    }

    async fn a_row_that_is_emptied_during_the_search_is_not_extra(engine) {
        let (app, proxy, ids) = in_step_behind_proxy(engine, 4).await;
        assert!(app.emulator.delete_user(&ids[0]) && app.emulator.delete_user(&ids[1]));
        let id = held_search(&app, &proxy, 2).await;
        assert_eq!(app.send(&deleted(&ids[0])).await.outcome(), "applied");
        proxy.block(Blocked::Nothing);
        assert_reported(&app.ended_job(&id).await["drift"], &[("extra", &[&ids[1]])]);
    }

    async fn a_search_leaves_table_outbox_pin_and_provider_as_they_are(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let ids: Vec<String> = (0..6).map(|number| sign_up(&app, 60, named(number))).collect();
        for id in &ids {
            assert_eq!(app.send(&app.event_of(id)).await.outcome(), "applied");
        }
        sign_up(&app, 5, named(9));
        change(&app, 5, &ids[0], "first_name", json!("Augusta"));
        assert!(app.emulator.delete_user(&ids[1]));
        change(&app, 5, &ids[2], "public_metadata", json!({"dbId": "another"}));
        assert_eq!(app.send(&deleted(&ids[3])).await.outcome(), "applied");
        app.set_override(&ids[4], json!({"role": "admin"})).await;
        // All but what a job notes of itself.
        let everything = || (app.database.dump_but(&["jobs: ", "job_candidates: "]), app.emulator.users());
        let before = everything();
        for _ in 0..2 {
            // Here write-back is switched on.
            let run = drift(&app, &[]).await;
            assert_eq!(run.status, Some(1), "{run:?}");
            assert_eq!(everything(), before);
        }
        assert_eq!(job(&app, "drift").await["state"], "succeeded");
        assert_eq!(everything(), before);
        assert_eq!(app.database.count("pinned_instances"), 0);
        assert_eq!(app.database.count("job_candidates"), 0);
        let counts = app.emulator.counts();
        assert_eq!(counts.requests_of("metadata_patch") + counts.requests_of("update"), 0);
    }

    async fn trap_24_a_key_of_another_instance_finds_no_drift(engine) {
        let (first, _) = in_step(engine, 3).await;
        let other = TestEmulator::of_instance("ins_other", 5);
        let second = first.moved_to(&other).await;
        let run = drift(&second, &[]).await;
        assert_eq!(run.status, Some(1), "{run:?}");
        assert!(run.stderr.contains("wrong_instance"), "{run:?}");
        assert_eq!(second.get_as(ADMIN_TOKEN, "/v1/drift").await.code(), "no_drift_report");
        assert_eq!(second.emulator.counts().requests_of("list"), 0);
    }

    async fn a_table_without_a_pinned_instance_is_compared_and_pins_none(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let missing = sign_up(&app, 5, named(1));
        super::assert_found(&app, &[("missing", &[&missing])]).await;
        assert_eq!((app.database.count("users"), app.database.count("pinned_instances")), (0, 0));
    }
}
