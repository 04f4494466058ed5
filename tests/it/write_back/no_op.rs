//! Users that agree cost no call, some services write nothing back, and users who are deleted
//! meanwhile are dropped.

use super::with_settled_user;
use crate::support::{Blocked, TestApp, configuration, event_of, until_true, user};
use serde_json::json;
use usersync::domain::Timestamp;
use usersync::store::Store;

async fn id_when_there(app: &TestApp, id: &str) -> String {
    app.emulator.wait_until_idle().await;
    app.user(id).await["id"].as_str().unwrap().to_owned()
}

both_engines! {
    async fn trap_26_a_second_pass_over_settled_users_costs_no_call(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        let ids: Vec<String> = (0..20).map(|number| app.sign_up(&format!("User{number}"))).collect();
        app.quiet().await;
        let outcomes = app.resync_or_take_over(&ids, false).await;
        assert!(outcomes.iter().all(|one| one["outcome"] == "unchanged"), "{outcomes:?}");
        for user in app.emulator.users() {
            assert_eq!(app.send(&event_of(&user)).await.outcome(), "stale");
        }
        assert_eq!(app.outbox(), [""; 0]);
        assert_eq!(app.calls(), (20, 20), "a look each for the resync, and nothing else");
    }

    async fn what_changes_beside_our_values_costs_no_call(engine) {
        let (app, id) = with_settled_user(engine, "Ada").await;
        app.emulator.merge_public_metadata(&id, json!({"theme": "dark"})).unwrap();
        app.emulator.update_user(&id, json!({"last_name": "Lovelace"})).unwrap();
        app.emulator.wait_until_idle().await;
        assert_eq!(app.user(&id).await["name"], "Ada Lovelace");
        assert_eq!((app.outbox(), app.calls()), (vec![], (1, 0)));
    }

    async fn metadata_that_agree_from_the_start_cost_no_call(engine) {
        let app = TestApp::builder(engine).emulated().variables(&[("USERSYNC_USER_ID", "external")]).start().await;
        app.emulator.deliver_to(None);
        let id = app.sign_up("Ada");
        let user = app.emulator.merge_public_metadata(&id, json!({"dbId": id, "role": "admin"}));
        assert_eq!(app.send(&event_of(&user.unwrap())).await.outcome(), "applied");
        assert_eq!((app.outbox(), app.calls()), (vec![], (0, 0)));
        assert_eq!(app.user(&id).await["role"], "admin");
    }

    async fn a_service_that_writes_nothing_back_notes_nothing(engine) {
        let app = TestApp::builder(engine).emulated().variables(&[("USERSYNC_WRITE_BACK", "off")]).start().await;
        let id = app.sign_up("Ada");
        app.emulator.wait_until_idle().await;
        assert_eq!(app.resync_or_take_over(std::slice::from_ref(&id), false).await[0]["outcome"], "unchanged");
        assert_eq!((app.outbox(), app.calls()), (vec![], (0, 1)));
        assert_eq!(app.metadata(&id), json!({}));
    }

    async fn a_service_without_workers_leaves_its_notes_to_others(engine) {
        let app = TestApp::builder(engine).emulated().variables(&[("USERSYNC_WORKERS", "off")]).start().await;
        let id = app.sign_up("Ada");
        app.set_override(&id_when_there(&app, &id).await, json!({"role": "admin"})).await;
        assert_eq!((app.outbox(), app.calls()), (vec![format!("{id} due")], (0, 0)));
        let (database, emulator) = app.stop().await;
        // As by a clock that is an hour ahead: no look is ever later than this choice.
        database.execute("UPDATE write_backs SET override_at = '2096-01-01T00:00:00.000Z'");
        let app = TestApp::builder(database).emulator(&emulator).start().await;
        app.quiet().await;
        assert_eq!(app.metadata(&id)["role"], "admin");
        assert_eq!(app.calls(), (1, 1));
    }

    async fn trap_31_a_user_deleted_meanwhile_is_dropped_with_the_deletion(engine) {
        let (app, proxy) = TestApp::builder(engine).emulated().start_behind_proxy().await;
        proxy.block(Blocked::Writes);
        let id = app.sign_up("Ada");
        proxy.until_held(1).await;
        app.emulator.delete_user(&id);
        app.emulator.wait_until_idle().await;
        assert_eq!((app.outbox(), app.user(&id).await["status"].clone()), (vec![], json!("deleted")));
        proxy.block(Blocked::Nothing);
        until_true("the lease ends", async || app.metric("usersync_write_backs_total{outcome=\"lost\"}").await == 1).await;
        assert_eq!(app.calls(), (1, 0), "nobody is looked for whose deletion is known");
    }

    async fn trap_31_a_user_whose_deletion_was_lost_is_judged_as_an_absence(engine) {
        let (app, known) = with_settled_user(engine, "Grace").await;
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

    async fn trap_31_a_user_whose_absence_is_unverified_is_held_back_and_not_asked_for_again(engine) {
        let (app, _) = with_settled_user(engine, "Grace").await;
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

    async fn housekeeping_drops_notes_about_the_deleted_old_absences_and_logs_of_calls(engine) {
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
                 ('clerk', 'user_4', 'held_back', '2026-03-01T00:00:00.000Z');
             INSERT INTO user_calls (source, external_id, kept_until) VALUES ('clerk', 'user_5', {time}),
                 ('clerk', 'user_6', '2096-01-01T00:00:00.000Z')"
        ));
        let store = Store::new(&configuration(&app.database, &[]).database);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (never, february) = (at("1970-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let tidied = tokio::task::spawn_blocking(move || store.writer().run_retention(never, february, never));
        assert_eq!(tidied.await.unwrap().unwrap(), 3);
        assert_eq!(app.outbox(), ["user_2 due"]);
        assert_eq!(app.database.texts("SELECT external_id AS value FROM absences"), ["user_4"]);
        assert_eq!(app.database.texts("SELECT external_id AS value FROM user_calls"), ["user_6"]);
    }
}
