//! Users that agree cost nothing, and some services write nothing back at all.

use crate::both_engines;
use crate::support::{Emulated, event_of};
use serde_json::json;

both_engines! {
    async fn trap_26_a_second_pass_over_settled_users_costs_no_call(engine) {
        let both = Emulated::start(engine).await;
        let ids: Vec<String> = (0..20).map(|number| both.sign_up(&format!("User{number}"))).collect();
        both.quiet().await;
        let outcomes = both.fetch_anew(&ids, false).await;
        assert!(outcomes.iter().all(|one| one["outcome"] == "unchanged"), "{outcomes:?}");
        for user in both.emulator.users() {
            assert_eq!(both.send(&event_of(&user)).await.outcome(), "stale");
        }
        assert_eq!(both.outbox(), [""; 0]);
        assert_eq!(both.calls(), (20, 20), "a look each for the resync, and nothing else");
    }

    async fn what_changes_beside_our_values_costs_no_call(engine) {
        let both = Emulated::start(engine).await;
        let id = both.sign_up("Ada");
        both.quiet().await;
        both.emulator.merge_public_metadata(&id, json!({"theme": "dark"})).unwrap();
        both.emulator.update_user(&id, json!({"last_name": "Lovelace"})).unwrap();
        both.emulator.settled().await;
        assert_eq!(both.user(&id).await["name"], "Ada Lovelace");
        assert_eq!((both.outbox(), both.calls()), (vec![], (1, 0)));
    }

    async fn metadata_that_agree_from_the_start_cost_no_call(engine) {
        let both = Emulated::start_with(engine, &[("USERSYNC_USER_ID", "external")]).await;
        both.emulator.deliver_to(None);
        let id = both.sign_up("Ada");
        let user = both.emulator.merge_public_metadata(&id, json!({"dbId": id, "role": "admin"}));
        assert_eq!(both.send(&event_of(&user.unwrap())).await.outcome(), "applied");
        assert_eq!((both.outbox(), both.calls()), (vec![], (0, 0)));
        assert_eq!(both.user(&id).await["role"], "admin");
    }

    async fn a_service_that_writes_nothing_back_notes_nothing(engine) {
        let both = Emulated::start_with(engine, &[("USERSYNC_WRITE_BACK", "off")]).await;
        let id = both.sign_up("Ada");
        both.emulator.settled().await;
        assert_eq!(both.fetch_anew(std::slice::from_ref(&id), false).await[0]["outcome"], "unchanged");
        assert_eq!((both.outbox(), both.calls()), (vec![], (0, 1)));
        assert_eq!(both.metadata(&id), json!({}));
    }

    async fn a_service_without_workers_leaves_its_notes_to_others(engine) {
        let both = Emulated::start_with(engine, &[("USERSYNC_WORKERS", "off")]).await;
        let id = both.sign_up("Ada");
        both.set_here(&id_when_there(&both, &id).await, json!({"role": "admin"})).await;
        assert_eq!((both.outbox(), both.calls()), (vec![format!("{id} due")], (0, 0)));
        let (database, emulator) = both.stop().await;
        // As by a clock that is an hour ahead: no look is ever later than this choice.
        database.execute("UPDATE write_backs SET override_at = '2096-01-01T00:00:00.000Z'");
        let both = Emulated::start_on(database, emulator, &[]).await;
        both.quiet().await;
        assert_eq!(both.metadata(&id)["role"], "admin");
        assert_eq!(both.calls(), (1, 1));
    }
}

async fn id_when_there(both: &Emulated, id: &str) -> String {
    both.emulator.settled().await;
    both.user(id).await["id"].as_str().unwrap().to_owned()
}
