//! Users who are deleted meanwhile: nothing is tried for ever.

use crate::both_engines;
use crate::support::{Blocked, Emulated, configuration, event_of, until, user};
use serde_json::json;
use usersync::store::{Moment, Store};

both_engines! {
    async fn trap_31_a_user_deleted_meanwhile_is_dropped_with_the_deletion(engine) {
        let (both, relay) = Emulated::start_behind_relay(engine, &[]).await;
        relay.block(Blocked::Writes);
        let id = both.sign_up("Ada");
        relay.until_held(1).await;
        both.emulator.delete_user(&id);
        both.emulator.settled().await;
        assert_eq!((both.outbox(), both.user(&id).await["status"].clone()), (vec![], json!("deleted")));
        relay.block(Blocked::Nothing);
        let lost = async || (both.metric("usersync_write_backs_total{outcome=\"lost\"}").await == 1).then_some(());
        until("the lease ends", std::time::Duration::from_secs(20), lost).await;
        assert_eq!(both.calls(), (1, 0), "nobody is looked for whose deletion is known");
    }

    async fn trap_31_a_user_whose_deletion_was_lost_is_judged_as_an_absence(engine) {
        let both = Emulated::start(engine).await;
        let known = both.sign_up("Grace");
        both.quiet().await;
        both.emulator.deliver_to(None);
        let id = both.sign_up("Ada");
        let event = event_of(&both.emulator.user(&id).unwrap());
        both.emulator.delete_user(&id);
        both.send(&event).await;
        both.quiet().await;
        assert_eq!(both.outbox(), [""; 0]);
        assert_eq!((&both.user(&id).await["status"], &both.user(&known).await["status"]), (&json!("deleted"), &json!("active")));
        let kinds = both.database.query("SELECT deletion_kind AS value FROM users WHERE deletion_kind IS NOT NULL");
        assert_eq!(kinds, [Some("absent".into())]);
        assert_eq!(both.calls().0, 2, "one for each");
    }

    async fn trap_31_a_user_nobody_can_vouch_for_is_held_back_and_not_asked_for_again(engine) {
        let both = Emulated::start(engine).await;
        both.sign_up("Grace");
        both.quiet().await;
        both.emulator.set_outage(clerk_emulator::Outage::NotFound);
        let id = both.sign_up("Ada");
        both.quiet().await;
        assert_eq!(both.outbox(), [format!("{id} held_back")]);
        assert_eq!(both.user(&id).await["status"], "active");
        let calls = both.calls();
        assert_eq!(calls, (2, 2), "the second look, and one for somebody else");
        both.emulator.set_outage(clerk_emulator::Outage::None);
        both.emulator.update_user(&id, json!({"last_name": "Byron"})).unwrap();
        both.quiet().await;
        assert_eq!((both.outbox(), both.metadata(&id)["role"].clone()), (vec![], json!("user")));
    }

    async fn housekeeping_drops_notes_about_the_deleted_and_old_absences(engine) {
        let both = Emulated::start_with(engine, &[("USERSYNC_WORKERS", "off")]).await;
        for id in ["user_1", "user_2"] {
            both.send(&user(id, 1_700_000_000_000)).await;
        }
        both.send(&crate::support::deleted("user_1")).await;
        assert_eq!(both.outbox(), ["user_2 due"], "the deletion takes the note along");
        let time = "'2026-01-01T00:00:00.000Z'";
        both.database.execute(&format!(
            "INSERT INTO write_backs (source, external_id, next_try_at, created_at) VALUES ('clerk', 'user_1', {time}, {time});
             INSERT INTO absences (source, external_id, state, found_at) VALUES ('clerk', 'user_3', 'emptied', {time}),
                 ('clerk', 'user_4', 'held_back', '2026-03-01T00:00:00.000Z')"
        ));
        let store = Store::new(&configuration(&both.database, &[]).database);
        let at = |text: &str| Moment::from_timestamp(text.parse().unwrap());
        let (never, february) = (at("1970-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let tidied = tokio::task::spawn_blocking(move || store.writer().run_retention(never, february, never));
        assert_eq!(tidied.await.unwrap().unwrap(), 2);
        assert_eq!(both.outbox(), ["user_2 due"]);
        assert_eq!(both.database.query("SELECT external_id AS value FROM absences"), [Some("user_4".into())]);
    }
}
