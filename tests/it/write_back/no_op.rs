//! Users that agree cost nothing, and some services write nothing back at all.

use crate::support::{TestApp, event_of};
use serde_json::json;

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
        let app = TestApp::builder(engine).emulated().start().await;
        let id = app.sign_up("Ada");
        app.quiet().await;
        app.emulator.merge_public_metadata(&id, json!({"theme": "dark"})).unwrap();
        app.emulator.update_user(&id, json!({"last_name": "Lovelace"})).unwrap();
        app.emulator.settled().await;
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
        app.emulator.settled().await;
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
}

async fn id_when_there(app: &TestApp, id: &str) -> String {
    app.emulator.settled().await;
    app.user(id).await["id"].as_str().unwrap().to_owned()
}
