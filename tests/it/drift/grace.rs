//! What is young, or was healed meanwhile, does not count.

use super::{assert_found, assert_reported, change, drift, in_step, job, named, reported, sign_up};
use crate::support::{Blocked, TestApp, deleted, until};
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
        let (app, proxy) = TestApp::builder(engine).manual_events().no_write_back().start_behind_proxy().await;
        let ids: Vec<String> = (0..4).map(|number| sign_up(&app, 60, named(number))).collect();
        assert_eq!(job(&app, "backfill").await["state"], "succeeded");
        let new = [sign_up(&app, 5, named(8)), sign_up(&app, 5, named(9))];
        for id in &ids[..3] {
            change(&app, 5, id, "first_name", json!("Augusta"));
        }
        change(&app, 5, &ids[3], "public_metadata", json!({"dbId": "another"}));
        proxy.block(Blocked::LaterPages);
        let id = app.start_job(json!({"kind": "drift"})).await;
        // The first page is compared, and what differs in it noted.
        until("the page is compared", async || {
            let job = app.job(&id).await;
            (job["counters"]["seen"] == 6).then_some(())
        })
        .await;
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
        let (app, proxy) = TestApp::builder(engine).manual_events().no_write_back().start_behind_proxy().await;
        let ids: Vec<String> = (0..4).map(|number| sign_up(&app, 60, named(number))).collect();
        assert_eq!(job(&app, "backfill").await["state"], "succeeded");
        assert!(app.emulator.delete_user(&ids[0]) && app.emulator.delete_user(&ids[1]));
        proxy.block(Blocked::LaterPages);
        let id = app.start_job(json!({"kind": "drift"})).await;
        until("the page is compared", async || {
            let job = app.job(&id).await;
            (job["counters"]["seen"] == 2).then_some(())
        })
        .await;
        assert_eq!(app.send(&deleted(&ids[0])).await.outcome(), "applied");
        proxy.block(Blocked::Nothing);
        assert_reported(&app.ended_job(&id).await["drift"], &[("extra", &[&ids[1]])]);
    }
}
