//! An override survives older events, and the latest one wins.

use crate::support::{Blocked, Engine, Proxy, TestApp, event_of, until_true};
use serde_json::{Value, json};

const ROLES: [(&str, &str); 1] = [("USERSYNC_ROLES", "user,editor,admin")];

/// A user to whom all is written back and whose further events are the test's; and the user object.
async fn settled(engine: Engine) -> (TestApp, Proxy, String, Value) {
    let (app, proxy) =
        TestApp::builder(engine).emulated().variables(&ROLES).start_behind_proxy().await;
    let id = app.sign_up("Ada");
    app.quiet().await;
    assert_eq!(app.calls(), (1, 0));
    app.emulator.deliver_to(None);
    let user = app.emulator.update_user(&id, json!({"last_name": "Byron"})).unwrap();
    (app, proxy, id, user)
}

impl TestApp {
    async fn until_limited(&self) {
        let sample = "usersync_write_backs_total{outcome=\"rate_limited\"}";
        until_true("one user's limit is met", async || self.metric(sample).await > 0).await;
    }
}

both_engines! {
    async fn a_role_set_here_survives_older_events_before_and_after_the_answer((app, proxy, id, older) = settled) {
        proxy.block(Blocked::WriteAnswers);
        app.set_override(&id, json!({"role": "admin"})).await;
        proxy.until_held(1).await;
        assert_eq!(app.metadata(&id)["role"], "admin", "the call has had its effect");
        assert_eq!(app.send(&event_of(&older)).await.outcome(), "stale", "the worker looked");
        let mut same_time = app.emulator.user(&id).unwrap();
        same_time["public_metadata"]["role"] = json!("user");
        assert_eq!(app.send(&event_of(&same_time)).await.outcome(), "applied");
        assert_eq!(app.user(&id).await["role"], "admin");
        proxy.block(Blocked::Nothing);
        app.quiet().await;
        for event in [event_of(&older), event_of(&same_time)] {
            assert_eq!(app.send(&event).await.outcome(), "stale");
        }
        assert_eq!(app.user(&id).await["role"], "admin");
        assert_eq!(app.override_and_source(&id), "- admin - -", "the provider has taken it over");
        assert_eq!(app.calls(), (2, 1));
    }

    async fn a_plan_set_here_survives_older_events((app, proxy, id, older) = settled) {
        proxy.block(Blocked::Writes);
        app.set_override(&id, json!({"plan": "pro"})).await;
        proxy.until_held(1).await;
        app.send(&event_of(&older)).await;
        assert_eq!(app.user(&id).await["plan"], "pro");
        proxy.block(Blocked::Nothing);
        app.quiet().await;
        app.send(&event_of(&older)).await;
        assert_eq!((app.user(&id).await["plan"].clone(), app.override_and_source(&id)), (json!("pro"), "- user - pro".into()));
        assert_eq!((app.metadata(&id)["plan"].clone(), app.calls()), (json!("pro"), (2, 1)));
    }

    async fn of_two_choices_the_second_wins_though_the_first_is_under_way((app, proxy, id, _) = settled) {
        proxy.block(Blocked::WriteAnswers);
        app.set_override(&id, json!({"role": "admin"})).await;
        proxy.until_held(1).await;
        app.set_override(&id, json!({"role": "editor", "plan": "pro"})).await;
        proxy.block(Blocked::Nothing);
        app.quiet().await;
        let metadata = app.metadata(&id);
        assert_eq!((&metadata["role"], &metadata["plan"]), (&json!("editor"), &json!("pro")));
        assert_eq!(app.override_and_source(&id), "- editor - pro");
        assert_eq!(app.calls(), (3, 1), "one call a choice, and a look");
    }

    async fn a_choice_taken_back_before_it_is_sent_is_never_sent((app, proxy, id, _) = settled) {
        proxy.block(Blocked::Fetches);
        app.set_override(&id, json!({"role": "admin", "plan": "pro"})).await;
        proxy.until_held(1).await;
        app.set_override(&id, json!({"role": null, "plan": null})).await;
        proxy.block(Blocked::Nothing);
        app.quiet().await;
        assert_eq!(app.override_and_source(&id), "- user - -");
        assert_eq!((app.user(&id).await["role"].clone(), app.calls().0), (json!("user"), 1));
    }

    async fn a_choice_taken_back_while_it_is_sent_deletes_nothing_at_the_provider((app, proxy, id, _) = settled) {
        proxy.block(Blocked::WriteAnswers);
        app.set_override(&id, json!({"role": "admin"})).await;
        proxy.until_held(1).await;
        app.set_override(&id, json!({"role": null})).await;
        assert_eq!(app.user(&id).await["role"], "user");
        proxy.block(Blocked::Nothing);
        app.quiet().await;
        assert_eq!((app.metadata(&id)["role"].clone(), app.calls().0), (json!("admin"), 2));
        assert_eq!((app.user(&id).await["role"].clone(), app.override_and_source(&id)), (json!("admin"), "- admin - -".into()));
    }

    async fn a_choice_that_the_provider_shows_already_costs_a_look_and_no_call((app, _relay, id, _) = settled) {
        app.emulator.merge_public_metadata(&id, json!({"role": "admin", "plan": "pro"})).unwrap();
        app.set_override(&id, json!({"role": "admin", "plan": "pro"})).await;
        app.quiet().await;
        assert_eq!(app.override_and_source(&id), "- admin - pro");
        assert_eq!(app.calls(), (1, 1));
    }

    async fn a_look_that_was_under_way_acknowledges_no_later_choice((app, proxy, id, _) = settled) {
        proxy.block(Blocked::Fetches);
        app.set_override(&id, json!({"role": "admin"})).await;
        proxy.until_held(1).await;
        app.emulator.merge_public_metadata(&id, json!({"role": "editor"})).unwrap();
        app.set_override(&id, json!({"role": "user"})).await;
        proxy.block(Blocked::Nothing);
        app.quiet().await;
        assert_eq!((app.metadata(&id)["role"].clone(), app.override_and_source(&id)), (json!("user"), "- user - -".into()));
        assert_eq!(app.calls(), (2, 2), "the look is repeated, and shows what is to be replaced");
    }

    /// The provider takes ten changes of one user in ten seconds, of which an override costs two.
    async fn a_user_overridden_too_often_keeps_no_other_waiting((app, _relay, id, _) = settled) {
        for number in 0..8 {
            app.set_override(&id, json!({"plan": format!("plan{number}")})).await;
            until_true("an override is acknowledged", async || app.override_and_source(&id).split(' ').nth(2) == Some("-") || number > 3).await;
        }
        app.emulator.deliver_to(Some(app.client.url.clone()));
        app.until_limited().await;
        let other = app.sign_up("Grace");
        app.emulator.wait_until_idle().await;
        until_true("another user is written to", async || app.outbox() == [format!("{id} due")]).await;
        assert_eq!(app.metadata(&other)["role"], "user");
    }

    async fn a_choice_made_while_another_is_refused_is_sent_all_the_same((app, proxy, id, _) = settled) {
        let limit = "x".repeat(8 * 1024 - 130);
        app.emulator.merge_public_metadata(&id, json!({"large": limit})).unwrap();
        proxy.block(Blocked::WriteAnswers);
        app.set_override(&id, json!({"plan": "p".repeat(60)})).await;
        proxy.until_held(1).await;
        app.set_override(&id, json!({"plan": "p"})).await;
        proxy.block(Blocked::Nothing);
        app.quiet().await;
        assert_eq!(app.override_and_source(&id), "- user - p", "{:?}", app.outbox());
        app.set_override(&id, json!({"plan": "p".repeat(60)})).await;
        app.quiet().await;
        assert_eq!(app.outbox(), [format!("{id} rejected")], "it rests until something changes");
    }
}
