//! What an operator sets here survives older events, and the latest choice wins.

use crate::both_engines;
use crate::support::{Blocked, Emulated, Engine, Relay, event_of, until};
use serde_json::{Value, json};
use std::time::Duration;

const ROLES: [(&str, &str); 1] = [("USERSYNC_ROLES", "user,editor,admin")];

/// A settled user whose further events a test sends itself, and the user object of now.
async fn settled(engine: Engine) -> (Emulated, Relay, String, Value) {
    let (both, relay) = Emulated::start_behind_relay(engine, &ROLES).await;
    let id = both.sign_up("Ada");
    both.quiet().await;
    assert_eq!(both.calls(), (1, 0));
    both.emulator.deliver_to(None);
    let user = both.emulator.update_user(&id, json!({"last_name": "Byron"})).unwrap();
    (both, relay, id, user)
}

impl Emulated {
    /// Waits until a write-back met the limit of one user.
    async fn until_limited(&self) {
        let sample = "usersync_write_backs_total{outcome=\"rate_limited\"}";
        let limited = async || (self.metric(sample).await > 0).then_some(());
        until("one user's limit is met", Duration::from_secs(10), limited).await;
    }
}

both_engines! {
    async fn a_role_set_here_survives_older_events_before_and_after_the_answer(engine) {
        let (both, relay, id, older) = settled(engine).await;
        relay.block(Blocked::WriteAnswers);
        both.set_here(&id, json!({"role": "admin"})).await;
        relay.until_held(1).await;
        assert_eq!(both.metadata(&id)["role"], "admin", "the call has had its effect");
        assert_eq!(both.send(&event_of(&older)).await.outcome(), "stale", "the worker looked");
        let mut same_time = both.emulator.user(&id).unwrap();
        same_time["public_metadata"]["role"] = json!("user");
        assert_eq!(both.send(&event_of(&same_time)).await.outcome(), "applied");
        assert_eq!(both.user(&id).await["role"], "admin");
        relay.block(Blocked::Nothing);
        both.quiet().await;
        for event in [event_of(&older), event_of(&same_time)] {
            assert_eq!(both.send(&event).await.outcome(), "stale");
        }
        assert_eq!(both.user(&id).await["role"], "admin");
        assert_eq!(both.chosen_and_shown(&id), "- admin - -", "the provider has taken it over");
        assert_eq!(both.calls(), (2, 1));
    }

    async fn a_plan_set_here_survives_older_events(engine) {
        let (both, relay, id, older) = settled(engine).await;
        relay.block(Blocked::Writes);
        both.set_here(&id, json!({"plan": "pro"})).await;
        relay.until_held(1).await;
        both.send(&event_of(&older)).await;
        assert_eq!(both.user(&id).await["plan"], "pro");
        relay.block(Blocked::Nothing);
        both.quiet().await;
        both.send(&event_of(&older)).await;
        assert_eq!((both.user(&id).await["plan"].clone(), both.chosen_and_shown(&id)), (json!("pro"), "- user - pro".into()));
        assert_eq!((both.metadata(&id)["plan"].clone(), both.calls()), (json!("pro"), (2, 1)));
    }

    async fn of_two_choices_the_second_wins_though_the_first_is_under_way(engine) {
        let (both, relay, id, _) = settled(engine).await;
        relay.block(Blocked::WriteAnswers);
        both.set_here(&id, json!({"role": "admin"})).await;
        relay.until_held(1).await;
        both.set_here(&id, json!({"role": "editor", "plan": "pro"})).await;
        relay.block(Blocked::Nothing);
        both.quiet().await;
        let metadata = both.metadata(&id);
        assert_eq!((&metadata["role"], &metadata["plan"]), (&json!("editor"), &json!("pro")));
        assert_eq!(both.chosen_and_shown(&id), "- editor - pro");
        assert_eq!(both.calls(), (3, 1), "one call a choice, and a look");
    }

    async fn a_choice_taken_back_before_it_is_sent_is_never_sent(engine) {
        let (both, relay, id, _) = settled(engine).await;
        relay.block(Blocked::Looks);
        both.set_here(&id, json!({"role": "admin", "plan": "pro"})).await;
        relay.until_held(1).await;
        both.set_here(&id, json!({"role": null, "plan": null})).await;
        relay.block(Blocked::Nothing);
        both.quiet().await;
        assert_eq!(both.chosen_and_shown(&id), "- user - -");
        assert_eq!((both.user(&id).await["role"].clone(), both.calls().0), (json!("user"), 1));
    }

    async fn a_choice_taken_back_while_it_is_sent_deletes_nothing_at_the_provider(engine) {
        let (both, relay, id, _) = settled(engine).await;
        relay.block(Blocked::WriteAnswers);
        both.set_here(&id, json!({"role": "admin"})).await;
        relay.until_held(1).await;
        both.set_here(&id, json!({"role": null})).await;
        assert_eq!(both.user(&id).await["role"], "user");
        relay.block(Blocked::Nothing);
        both.quiet().await;
        assert_eq!((both.metadata(&id)["role"].clone(), both.calls().0), (json!("admin"), 2));
        assert_eq!((both.user(&id).await["role"].clone(), both.chosen_and_shown(&id)), (json!("admin"), "- admin - -".into()));
    }

    async fn a_choice_that_the_provider_shows_already_costs_a_look_and_no_call(engine) {
        let (both, _relay, id, _) = settled(engine).await;
        both.emulator.merge_public_metadata(&id, json!({"role": "admin", "plan": "pro"})).unwrap();
        both.set_here(&id, json!({"role": "admin", "plan": "pro"})).await;
        both.quiet().await;
        assert_eq!(both.chosen_and_shown(&id), "- admin - pro");
        assert_eq!(both.calls(), (1, 1));
    }

    async fn a_look_that_was_under_way_acknowledges_no_later_choice(engine) {
        let (both, relay, id, _) = settled(engine).await;
        relay.block(Blocked::Looks);
        both.set_here(&id, json!({"role": "admin"})).await;
        relay.until_held(1).await;
        both.emulator.merge_public_metadata(&id, json!({"role": "editor"})).unwrap();
        both.set_here(&id, json!({"role": "user"})).await;
        relay.block(Blocked::Nothing);
        both.quiet().await;
        assert_eq!((both.metadata(&id)["role"].clone(), both.chosen_and_shown(&id)), (json!("user"), "- user - -".into()));
        assert_eq!(both.calls(), (2, 2), "the look is repeated, and shows what is to be replaced");
    }

    /// The provider takes ten changes of one user in ten seconds, of which a choice costs two.
    async fn a_user_chosen_for_too_often_keeps_nobody_else_waiting(engine) {
        let (both, _relay, id, _) = settled(engine).await;
        for number in 0..8 {
            both.set_here(&id, json!({"plan": format!("plan{number}")})).await;
            let told = async || (both.chosen_and_shown(&id).split(' ').nth(2) == Some("-") || number > 3).then_some(());
            until("a choice is told", Duration::from_secs(10), told).await;
        }
        both.emulator.deliver_to(Some(both.sender.url.clone()));
        both.until_limited().await;
        let other = both.sign_up("Grace");
        both.emulator.settled().await;
        let told = async || (both.outbox() == [format!("{id} due")]).then_some(());
        until("another user is told", Duration::from_secs(5), told).await;
        assert_eq!(both.metadata(&other)["role"], "user");
    }

    async fn a_choice_made_while_another_is_refused_is_sent_all_the_same(engine) {
        let (both, relay, id, _) = settled(engine).await;
        let limit = "x".repeat(8 * 1024 - 130);
        both.emulator.merge_public_metadata(&id, json!({"large": limit})).unwrap();
        relay.block(Blocked::WriteAnswers);
        both.set_here(&id, json!({"plan": "p".repeat(60)})).await;
        relay.until_held(1).await;
        both.set_here(&id, json!({"plan": "p"})).await;
        relay.block(Blocked::Nothing);
        both.quiet().await;
        assert_eq!(both.chosen_and_shown(&id), "- user - p", "{:?}", both.outbox());
        both.set_here(&id, json!({"plan": "p".repeat(60)})).await;
        both.quiet().await;
        assert_eq!(both.outbox(), [format!("{id} rejected")], "it rests until something changes");
    }
}
