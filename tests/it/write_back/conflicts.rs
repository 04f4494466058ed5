//! Values at the provider that are not ours are left alone, and listed.

use crate::support::{ADMIN_TOKEN, TestApp, TestDatabase, event_of};
use serde_json::{Value, json};

impl TestApp {
    async fn listed(&self, state: &str) -> Vec<Value> {
        let answer = self.get_as(ADMIN_TOKEN, &format!("/v1/write-backs?state={state}")).await;
        let rows = answer.body["data"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
        rows.iter().map(|row| row["external_id"].clone()).collect()
    }

    fn sign_up_with(&self, public_metadata: &Value) -> String {
        let fields = json!({
            "first_name": "Ada",
            "public_metadata": public_metadata,
            "private_metadata": {"dbId": "private", "plan": "hidden"},
            "unsafe_metadata": {"role": "god", "dbId": 1},
        });
        self.emulator.create_user(fields)["id"].as_str().unwrap().to_owned()
    }
}

both_engines! {
    async fn values_that_are_not_ours_are_a_conflict_until_they_are_taken_over(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        let theirs = [
            json!({"dbId": "another-id", "role": "user"}),
            json!({"dbId": 7, "role": "user"}),
            json!({"role": "wizard"}),
        ];
        let ids = theirs.each_ref().map(|metadata| app.sign_up_with(metadata));
        let mut with_their_id = vec![json!(ids[0]), json!(ids[1])];
        with_their_id.sort_by_key(ToString::to_string);
        for round in 1..=2 {
            app.quiet().await;
            assert_eq!(app.calls().0, 1, "our id is filled in where there is none");
            assert_eq!(app.metadata(&ids[0]), theirs[0]);
            assert_eq!(app.metadata(&ids[1]), theirs[1]);
            assert_eq!(app.metadata(&ids[2]), json!({"dbId": app.user(&ids[2]).await["id"], "role": "wizard"}));
            assert_eq!(app.listed("conflict_id").await, with_their_id);
            assert_eq!(app.listed("conflict_role").await, [json!(ids[2])]);
            assert!(app.metric("usersync_write_backs_total{outcome=\"conflict\"}").await >= 3 * round);
            for id in &ids {
                app.emulator.update_user(id, json!({"last_name": "Byron"})).unwrap();
            }
        }
        app.quiet().await;
        app.resync_or_take_over(&ids, true).await;
        app.quiet().await;
        for id in &ids {
            assert_eq!(app.metadata(id), json!({"dbId": app.user(id).await["id"], "role": "user"}));
        }
        assert_eq!((app.outbox(), app.calls().0), (vec![], 4));
    }

    async fn a_conflict_that_is_mended_at_the_provider_is_one_no_longer(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        let id = app.sign_up_with(&json!({"dbId": "another-id", "role": "user"}));
        app.quiet().await;
        assert_eq!(app.listed("conflict_id").await, [json!(id)]);
        let ours = app.user(&id).await["id"].clone();
        app.emulator.merge_public_metadata(&id, json!({"dbId": ours})).unwrap();
        app.quiet().await;
        assert_eq!((app.outbox(), app.calls().0), (vec![], 0));
    }

    async fn an_operators_choice_replaces_an_unknown_role(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        let id = app.sign_up_with(&json!({"role": "wizard"}));
        app.quiet().await;
        app.set_override(&id, json!({"role": "admin"})).await;
        app.quiet().await;
        assert_eq!((app.metadata(&id)["role"].clone(), app.outbox()), (json!("admin"), vec![]));
    }

    async fn trap_28_and_29_only_our_names_of_the_public_metadata_are_written(engine) {
        let names = [("USERSYNC_METADATA_ID", "appId"), ("USERSYNC_METADATA_ROLE", "rank"), ("USERSYNC_METADATA_PLAN", "tier")];
        let app = TestApp::builder(engine).emulated().variables(&names).start().await;
        let theirs = json!({"dbId": "theirs", "role": "wizard", "plan": "gold", "deep": {"a": [1, null]}});
        let id = app.sign_up_with(&theirs);
        app.quiet().await;
        app.set_override(&id, json!({"plan": "pro"})).await;
        app.quiet().await;
        let row = app.user(&id).await;
        let user = app.emulator.user(&id).unwrap();
        let mut expected = theirs;
        expected["appId"] = row["id"].clone();
        expected["rank"] = json!("user");
        expected["tier"] = json!("pro");
        assert_eq!(user["public_metadata"], expected);
        assert_eq!(user["private_metadata"], json!({"dbId": "private", "plan": "hidden"}));
        assert_eq!(user["unsafe_metadata"], json!({"role": "god", "dbId": 1}));
        assert_eq!((&row["role"], &row["plan"]), (&json!("user"), &json!("pro")));
    }

    /// At most two calls a user: each service sends once what it has not seen, and the one that sees the
    /// other's id afterwards leaves it alone.
    async fn two_services_on_one_instance_end_in_a_conflict_and_not_in_a_fight(engine) {
        const USERS: u64 = 20;
        let one = TestApp::builder(engine).emulated().start().await;
        let other = TestApp::builder(engine).emulator(&one.emulator).start_many(1).await.remove(0);
        for number in 0..USERS {
            let id = one.sign_up(&format!("User{number}"));
            other.send(&event_of(&one.emulator.user(&id).unwrap())).await;
        }
        for _ in 0..3 {
            one.quiet().await;
            other.database.until_none("write_backs WHERE state = 'due'").await;
            for user in one.emulator.users() {
                other.send(&event_of(&user)).await;
                one.send(&event_of(&user)).await;
            }
        }
        one.quiet().await;
        other.database.until_none("write_backs WHERE state = 'due'").await;
        let patches = one.calls().0;
        assert!((USERS..=2 * USERS).contains(&patches), "{patches}");
        let conflicts = |database: &TestDatabase| database.count("write_backs WHERE state = 'conflict_id'");
        assert_eq!(conflicts(&one.database) + conflicts(&other.database), 20);
    }
}
