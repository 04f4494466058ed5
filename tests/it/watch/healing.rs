//! Lost creates and updates heal by the watch, lost deletes by a reconcile.

use super::{
    EVERY_SECOND, WITHIN, asked_for, reconciles, sign_up_some, turns, turns_later, until_live,
};
use crate::both_engines;
use crate::support::{
    Blocked, Emulated, NO_WRITE_BACK, Relay, TestDatabase, deleted, emulator, event_of, until,
};
use serde_json::json;
use std::time::{Duration, Instant};

/// Two intervals of a second, and what a busy machine adds.
const TWO_INTERVALS: Duration = Duration::from_secs(10);

both_engines! {
    async fn a_lost_create_and_a_lost_update_heal_within_two_intervals(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, EVERY_SECOND]).await;
        turns_later(&both.database, 2).await;
        let (began, turn) = (Instant::now(), turns(&both.database));
        let id = both.sign_up("Ada");
        until_live(&both.database, 1).await;
        assert!(began.elapsed() < TWO_INTERVALS, "{:?}", began.elapsed());
        assert!(turns(&both.database) <= turn + 3);
        let (began, turn) = (Instant::now(), turns(&both.database));
        both.emulator.update_user(&id, json!({"first_name": "Augusta"}));
        until("the row shows the change", WITHIN, async || {
            (both.column(&id, "first_name")? == "Augusta").then_some(())
        })
        .await;
        assert!(began.elapsed() < TWO_INTERVALS, "{:?}", began.elapsed());
        assert!(turns(&both.database) <= turn + 3);
        assert_eq!((both.emulator.counts().deliveries.sent, asked_for(&both.database)), (0, 0));
    }

    async fn the_provider_is_told_about_whom_the_watch_brought_in(engine) {
        let both = Emulated::start_hearing(engine, &[EVERY_SECOND]).await;
        let id = both.sign_up("Ada");
        until("our id is there", WITHIN, async || {
            both.metadata(&id)["dbId"].as_str().map(str::to_owned)
        })
        .await;
        assert_eq!(both.metadata(&id), json!({"dbId": both.user(&id).await["id"], "role": "user"}));
        turns_later(&both.database, 3).await;
        assert_eq!(both.emulator.counts().requests_of("metadata_patch"), 1, "its echo costs nothing");
    }

    async fn a_lost_delete_is_noticed_by_the_counts_and_healed_by_one_reconcile(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, EVERY_SECOND]).await;
        let ids = sign_up_some(&both, 5);
        until_live(&both.database, 5).await;
        turns_later(&both.database, 2).await;
        let turn = turns(&both.database);
        assert!(both.emulator.delete_user(&ids[0]));
        until("the row is emptied", WITHIN, async || {
            (both.database.count("users WHERE deletion_kind = 'absent'") == 1).then_some(())
        })
        .await;
        assert!(turns(&both.database) > turn, "at first it may have been on its way");
        turns_later(&both.database, 3).await;
        assert_eq!((asked_for(&both.database), reconciles(&both.database, "'succeeded'")), (1, 1));
        assert_eq!(both.database.count("users_live"), 4);
    }

    async fn a_difference_that_a_reconcile_leaves_starts_no_other_one_until_it_changes(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, EVERY_SECOND]).await;
        let ids = sign_up_some(&both, 3);
        until_live(&both.database, 3).await;
        // Deleted here for good, and there all the same.
        assert_eq!(both.send(&deleted(&ids[0])).await.outcome(), "applied");
        let one_done = async || (reconciles(&both.database, "'succeeded'") == 1).then_some(());
        until("the counts are noticed", WITHIN, one_done).await;
        // After ten intervals it might ask again, were it the first time.
        turns_later(&both.database, 14).await;
        assert_eq!(asked_for(&both.database), 1);
        assert_eq!(both.send(&deleted(&ids[1])).await.outcome(), "applied");
        let another_done = async || (reconciles(&both.database, "'succeeded'") == 2).then_some(());
        until("another difference is noticed", WITHIN, another_done).await;
        assert_eq!(both.database.count("users_live"), 1);
    }

    async fn a_page_never_overwrites_a_newer_event_nor_revives_a_deleted_user(engine) {
        let (database, emulator) = (TestDatabase::new(engine), emulator());
        let relay = Relay::to(&emulator);
        relay.block(Blocked::Pages);
        let sign_up = |name| emulator.create_user(json!({"first_name": name}));
        let [changed, gone, same] = ["Ada", "Grace", "Barbara"].map(sign_up);
        let variables = [NO_WRITE_BACK, EVERY_SECOND, ("CLERK_API_URL", relay.url.as_str())];
        let both = Emulated::start_hearing_on(database, emulator, &variables).await;
        // The page that is held up shows all three; and so does the provider from now on.
        relay.until_held(1).await;
        let mut event = event_of(&changed);
        event["data"]["first_name"] = json!("Augusta");
        event["data"]["updated_at"] = json!(changed["updated_at"].as_i64().unwrap() + 1_000);
        assert_eq!(both.send(&event).await.outcome(), "applied");
        assert_eq!(both.send(&deleted(gone["id"].as_str().unwrap())).await.outcome(), "applied");
        let rows = async || {
            let [changed, gone] = [&changed, &gone].map(|user| user["id"].as_str().unwrap());
            [both.user(changed).await, both.user(gone).await]
        };
        let before = rows().await;
        relay.block(Blocked::Nothing);
        until_live(&both.database, 2).await;
        turns_later(&both.database, 2).await;
        assert_eq!(rows().await, before);
        assert_eq!((&before[0]["first_name"], &before[1]["status"]), (&json!("Augusta"), &json!("deleted")));
        assert_eq!(both.user(same["id"].as_str().unwrap()).await["first_name"], "Barbara");
    }

    async fn who_changes_during_a_descent_is_met_by_the_next(engine) {
        let (database, emulator) = (TestDatabase::new(engine), super::depth::crowd(600));
        let relay = Relay::to(&emulator);
        relay.block(Blocked::LaterPages);
        let variables = [NO_WRITE_BACK, EVERY_SECOND, ("CLERK_API_URL", relay.url.as_str())];
        let both = Emulated::start_hearing_on(database, emulator, &variables).await;
        relay.until_held(1).await;
        let ids = both.emulator.issued_ids();
        for id in [&ids[0], &ids[300], &ids[599]] {
            both.emulator.update_user(id, json!({"first_name": "Augusta"}));
        }
        both.sign_up("Augusta");
        relay.block(Blocked::Nothing);
        until("all four are met", WITHIN, async || {
            (both.database.count("users WHERE first_name = 'Augusta'") == 4).then_some(())
        })
        .await;
        until_live(&both.database, 601).await;
    }
}
