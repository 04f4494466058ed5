//! Users change while a page of them is on its way (traps 33 and 35).

use super::{
    ask_for, assert_agreed, assert_counted, backfill, bring_back, crowded_behind_relay, emptied,
    ended, live, lose, reconcile, there,
};
use crate::both_engines;
use crate::support::{Blocked, Emulated, deleted};
use serde_json::{Value, json};

both_engines! {
    async fn trap_35_what_webhooks_bring_while_a_page_is_on_its_way_is_never_undone(engine) {
        for kind in ["backfill", "reconcile"] {
            let (both, relay) = crowded_behind_relay(engine, 0).await;
            let names = ["Same", "Changed", "Deleted", "NewChanged", "NewDeleted", "New"];
            let [same, changed, gone, new_changed, new_gone, new] = names.map(|name| both.sign_up(name));
            for id in [&same, &changed, &gone] {
                assert_eq!(both.send(&both.event_of(id)).await.outcome(), "applied");
            }
            relay.block(Blocked::Pages);
            let job = ask_for(&both, json!({"kind": kind})).await;
            relay.until_held(1).await;
            for id in [&changed, &new_changed] {
                both.emulator.update_user(id, json!({"first_name": "Later"})).unwrap();
                assert_eq!(both.send(&both.event_of(id)).await.outcome(), "applied");
            }
            for id in [&gone, &new_gone] {
                both.emulator.delete_user(id);
                assert_eq!(both.send(&deleted(id)).await.outcome(), "applied");
            }
            let later = both.sign_up("Later");
            assert_eq!(both.send(&both.event_of(&later)).await.outcome(), "applied");
            relay.block(Blocked::Nothing);
            let job = ended(&both, &job).await;
            // The page shows six as they were; one more comes in the next page.
            assert_counted(&job, &[("seen", 7), ("unchanged", 4), ("created", 1), ("missing", 1), ("tombstoned", 2)]);
            assert_agreed(&both);
            assert_eq!(both.user(&new).await["status"], "active");
            for id in [&gone, &new_gone] {
                assert_eq!(both.column(id, "deletion_kind").as_deref(), Some("signed"));
                assert_eq!(both.column(id, "email"), None);
            }
            assert_eq!(emptied(&both), 0);
        }
    }

    async fn trap_33_users_who_are_deleted_between_two_pages_hide_nobody(engine) {
        for kind in ["backfill", "reconcile"] {
            let (both, relay) = crowded_behind_relay(engine, 1_200).await;
            let ids = both.emulator.issued_ids();
            relay.block(Blocked::Pages);
            let job = ask_for(&both, json!({"kind": kind})).await;
            relay.until_held(1).await;
            // The last one of the page, behind whom the next one is asked for, and others.
            let seen: Vec<String> = [0, 1, 250, 498, 499].map(|place| ids[place].clone()).to_vec();
            let unseen: Vec<String> = [500, 501, 700].map(|place| ids[place].clone()).to_vec();
            let mut expected = there(&both.emulator);
            expected.retain(|user| !unseen.iter().any(|id| user.starts_with(id.as_str())));
            lose(&both, &seen);
            lose(&both, &unseen);
            relay.block(Blocked::Nothing);
            let job = ended(&both, &job).await;
            let users = 1_200 - unseen.len();
            assert_counted(&job, &[("seen", users), ("created", users), ("missing", users)]);
            assert_eq!(live(&both.database), expected);
            // Whoever was deleted behind the page is found by the next run.
            let job = reconcile(&both).await;
            let users = both.emulator.users().len();
            assert_counted(&job, &[("seen", users), ("updated", 5), ("unchanged", users), ("extra", 5)]);
            assert_agreed(&both);
        }
    }

    async fn whoever_is_looked_up_again_and_is_back_by_then_is_not_emptied(engine) {
        let (both, relay) = crowded_behind_relay(engine, 30).await;
        backfill(&both).await;
        let ids = both.emulator.issued_ids();
        let gone = lose(&both, &ids[3..6]);
        relay.block(Blocked::Looks);
        let job = ask_for(&both, json!({"kind": "reconcile"})).await;
        // All pages are read, and these three were in none.
        relay.until_held(1).await;
        bring_back(&both, &gone[..2]);
        both.emulator.update_user(&ids[3], json!({"first_name": "Back"})).unwrap();
        relay.block(Blocked::Nothing);
        let job = ended(&both, &job).await;
        assert_counted(&job, &[("seen", 27), ("updated", 1), ("unchanged", 27), ("extra", 1)]);
        assert_agreed(&both);
    }

    async fn a_row_that_changes_between_the_look_and_the_emptying_stays(engine) {
        let (both, relay) = crowded_behind_relay(engine, 30).await;
        backfill(&both).await;
        let ids = both.emulator.issued_ids();
        let gone = lose(&both, &ids[3..5]);
        relay.block(Blocked::Looks);
        let job = ask_for(&both, json!({"kind": "reconcile"})).await;
        relay.until_held(1).await;
        // That was whether the last user of all is still there; now both are asked for, and are gone.
        relay.let_go();
        relay.until_held(2).await;
        bring_back_by_event(&both, &gone[0]).await;
        relay.block(Blocked::Nothing);
        let job = ended(&both, &job).await;
        assert_counted(&job, &[("seen", 28), ("updated", 1), ("unchanged", 28), ("extra", 2)]);
        assert_agreed(&both);
    }
}

/// The user is there again with a change, of which an event tells.
async fn bring_back_by_event(both: &Emulated, user: &Value) {
    bring_back(both, std::slice::from_ref(user));
    let id = user["id"].as_str().unwrap();
    both.emulator.update_user(id, json!({"first_name": "Back"})).unwrap();
    assert_eq!(both.send(&both.event_of(id)).await.outcome(), "applied");
}
