//! Users who are deleted meanwhile: no write-back is tried for ever.

use crate::support::{Blocked, TestApp, configuration, event_of, until, user};
use serde_json::json;
use usersync::store::{Moment, Store};

both_engines! {
    async fn trap_31_a_user_deleted_meanwhile_is_dropped_with_the_deletion(engine) {
        let (app, proxy) = TestApp::builder(engine).emulated().start_behind_proxy().await;
        proxy.block(Blocked::Writes);
        let id = app.sign_up("Ada");
        proxy.until_held(1).await;
        app.emulator.delete_user(&id);
        app.emulator.settled().await;
        assert_eq!((app.outbox(), app.user(&id).await["status"].clone()), (vec![], json!("deleted")));
        proxy.block(Blocked::Nothing);
        let lost = async || (app.metric("usersync_write_backs_total{outcome=\"lost\"}").await == 1).then_some(());
        until("the lease ends", lost).await;
        assert_eq!(app.calls(), (1, 0), "nobody is looked for whose deletion is known");
    }

    async fn trap_31_a_user_whose_deletion_was_lost_is_judged_as_an_absence(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        let known = app.sign_up("Grace");
        app.quiet().await;
        app.emulator.deliver_to(None);
        let id = app.sign_up("Ada");
        let event = event_of(&app.emulator.user(&id).unwrap());
        app.emulator.delete_user(&id);
        app.send(&event).await;
        app.quiet().await;
        assert_eq!(app.outbox(), [""; 0]);
        assert_eq!((&app.user(&id).await["status"], &app.user(&known).await["status"]), (&json!("deleted"), &json!("active")));
        let kinds = app.database.query("SELECT deletion_kind AS value FROM users WHERE deletion_kind IS NOT NULL");
        assert_eq!(kinds, [Some("absent".into())]);
        assert_eq!(app.calls().0, 2, "one for each");
    }

    async fn trap_31_a_user_nobody_can_vouch_for_is_held_back_and_not_asked_for_again(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        app.sign_up("Grace");
        app.quiet().await;
        app.emulator.set_outage(clerk_emulator::Outage::NotFound);
        let id = app.sign_up("Ada");
        app.quiet().await;
        assert_eq!(app.outbox(), [format!("{id} held_back")]);
        assert_eq!(app.user(&id).await["status"], "active");
        let calls = app.calls();
        assert_eq!(calls, (2, 2), "the second look, and one for somebody else");
        app.emulator.set_outage(clerk_emulator::Outage::None);
        app.emulator.update_user(&id, json!({"last_name": "Byron"})).unwrap();
        app.quiet().await;
        assert_eq!((app.outbox(), app.metadata(&id)["role"].clone()), (vec![], json!("user")));
    }

    async fn housekeeping_drops_notes_about_the_deleted_and_old_absences(engine) {
        let app = TestApp::builder(engine).emulated().variables(&[("USERSYNC_WORKERS", "off")]).start().await;
        for id in ["user_1", "user_2"] {
            app.send(&user(id, 1_700_000_000_000)).await;
        }
        app.send(&crate::support::deleted("user_1")).await;
        assert_eq!(app.outbox(), ["user_2 due"], "the deletion takes the note along");
        let time = "'2026-01-01T00:00:00.000Z'";
        app.database.execute(&format!(
            "INSERT INTO write_backs (source, external_id, next_try_at, created_at) VALUES ('clerk', 'user_1', {time}, {time});
             INSERT INTO absences (source, external_id, state, found_at) VALUES ('clerk', 'user_3', 'emptied', {time}),
                 ('clerk', 'user_4', 'held_back', '2026-03-01T00:00:00.000Z')"
        ));
        let store = Store::new(&configuration(&app.database, &[]).database);
        let at = |text: &str| Moment::from_timestamp(text.parse().unwrap());
        let (never, february) = (at("1970-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let tidied = tokio::task::spawn_blocking(move || store.writer().run_retention(never, february, never));
        assert_eq!(tidied.await.unwrap().unwrap(), 2);
        assert_eq!(app.outbox(), ["user_2 due"]);
        assert_eq!(app.database.query("SELECT external_id AS value FROM absences"), [Some("user_4".into())]);
    }
}
