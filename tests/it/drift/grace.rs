//! What is young, or was healed meanwhile, does not count.

use super::{
    WITHIN, ask_for, assert_found, assert_reported, change, drift, ended, in_step, job, named,
    reported, sign_up,
};
use crate::both_engines;
use crate::support::{ADMIN_TOKEN, Blocked, Emulated, NO_WRITE_BACK, deleted, until};
use serde_json::json;

both_engines! {
    async fn a_difference_of_the_last_minute_is_in_flight(engine) {
        let (both, ids) = in_step(engine, 3).await;
        sign_up(&both, 0, named(9));
        change(&both, 0, &ids[0], "first_name", json!("Augusta"));
        change(&both, 0, &ids[1], "public_metadata", json!({"dbId": "another"}));
        let run = drift(&both, &[]).await;
        assert_eq!(run.status, Some(0), "{run:?}");
        assert!(run.stdout.contains(&format!("{:>10} in flight", 3)), "{run:?}");
        let report = reported(&both).await;
        assert_reported(&report, &[]);
        assert_eq!((&report["in_flight"], &report["seen"]), (&json!(3), &json!(4)));
    }

    async fn older_differences_count_beside_younger_ones(engine) {
        let (both, ids) = in_step(engine, 3).await;
        change(&both, 0, &ids[0], "first_name", json!("Augusta"));
        change(&both, 2, &ids[1], "first_name", json!("Augusta"));
        let old = sign_up(&both, 2, named(9));
        sign_up(&both, 0, named(10));
        assert_found(&both, &[("missing", &[&old]), ("stale", &[&ids[1]])]).await;
        assert_eq!(reported(&both).await["in_flight"], 2);
    }

    async fn a_difference_that_an_event_heals_during_the_search_is_none(engine) {
        let (both, relay) = Emulated::start_behind_relay(engine, &[NO_WRITE_BACK]).await;
        both.emulator.deliver_to(None);
        let ids: Vec<String> = (0..4).map(|number| sign_up(&both, 60, named(number))).collect();
        assert_eq!(job(&both, "backfill").await["state"], "succeeded");
        let new = [sign_up(&both, 5, named(8)), sign_up(&both, 5, named(9))];
        for id in &ids[..3] {
            change(&both, 5, id, "first_name", json!("Augusta"));
        }
        change(&both, 5, &ids[3], "public_metadata", json!({"dbId": "another"}));
        relay.block(Blocked::LaterPages);
        let location = ask_for(&both, "drift").await;
        // The first page is compared, and what differs in it noted.
        until("the page is compared", WITHIN, async || {
            let job = both.get_as(ADMIN_TOKEN, &location).await.body;
            (job["counters"]["seen"] == 6).then_some(())
        })
        .await;
        for id in [&ids[0], &ids[1], &new[0]] {
            assert_eq!(both.send(&both.event_of(id)).await.outcome(), "applied");
        }
        // Their provider's words changed, so this row is judged by the next search.
        assert_eq!(both.send(&both.event_of(&ids[3])).await.outcome(), "applied");
        relay.block(Blocked::Nothing);
        let job = ended(&both, &location).await;
        assert_eq!((&job["counters"]["stale"], &job["counters"]["missing"]), (&json!(4), &json!(2)));
        assert_reported(&job["drift"], &[("stale", &[&ids[2]]), ("missing", &[&new[1]])]);
        assert_reported(&reported(&both).await, &[("stale", &[&ids[2]]), ("missing", &[&new[1]])]);
    }

    async fn a_row_that_is_emptied_during_the_search_is_not_extra(engine) {
        let (both, relay) = Emulated::start_behind_relay(engine, &[NO_WRITE_BACK]).await;
        both.emulator.deliver_to(None);
        let ids: Vec<String> = (0..4).map(|number| sign_up(&both, 60, named(number))).collect();
        assert_eq!(job(&both, "backfill").await["state"], "succeeded");
        assert!(both.emulator.delete_user(&ids[0]) && both.emulator.delete_user(&ids[1]));
        relay.block(Blocked::LaterPages);
        let location = ask_for(&both, "drift").await;
        until("the page is compared", WITHIN, async || {
            let job = both.get_as(ADMIN_TOKEN, &location).await.body;
            (job["counters"]["seen"] == 2).then_some(())
        })
        .await;
        assert_eq!(both.send(&deleted(&ids[0])).await.outcome(), "applied");
        relay.block(Blocked::Nothing);
        assert_reported(&ended(&both, &location).await["drift"], &[("extra", &[&ids[1]])]);
    }
}
