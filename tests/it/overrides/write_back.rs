//! A choice reaches the provider, and touches nothing there that it is not about.

use super::words;
use crate::both_engines;
use crate::support::{Emulated, Signed, now_seconds};
use clerk_emulator::Outage;
use serde_json::{Value, json};

/// A user with metadata of every kind, written back to already.
async fn sign_up(both: &Emulated) -> String {
    let user = both.emulator.create_user(json!({
        "first_name": "Ada", "email_address": ["ada@example.org"],
        "public_metadata": {"role": "user", "theme": "dark"},
        "private_metadata": {"role": "owner", "plan": "secret", "dbId": "x"},
        "unsafe_metadata": {"role": "admin", "plan": "gold", "dbId": "y"},
    }));
    both.quiet().await;
    user["id"].as_str().unwrap().to_owned()
}

/// All metadata of a user at the provider.
fn metadata(both: &Emulated, id: &str) -> [Value; 3] {
    let user = both.emulator.user(id).unwrap();
    ["public_metadata", "private_metadata", "unsafe_metadata"].map(|kind| user[kind].clone())
}

both_engines! {
    async fn trap_28_a_choice_is_merged_into_what_is_there(engine) {
        let both = Emulated::start(engine).await;
        let id = sign_up(&both).await;
        let [mut public, private, unsafe_] = metadata(&both, &id);
        assert_eq!(both.choose(&id, json!({"role": "admin", "plan": "pro"})).await.status, 200);
        both.quiet().await;
        public["role"] = "admin".into();
        public["plan"] = "pro".into();
        assert_eq!(metadata(&both, &id), [public, private, unsafe_]);
        assert_eq!(both.words(&id).await, words("admin", "pro"));
        assert_eq!(both.chosen(), [None, None], "the provider has taken it over");
        assert_eq!(both.emulator.metadata_writes(&id), 2);
    }

    async fn trap_28_null_drops_a_choice_that_was_not_sent_and_no_key_of_the_provider(engine) {
        let both = Emulated::start(engine).await;
        let id = sign_up(&both).await;
        let (before, writes) = (metadata(&both, &id), both.emulator.metadata_writes(&id));
        both.emulator.set_outage(Outage::Unavailable);
        both.choose(&id, json!({"role": "admin", "plan": "pro"})).await;
        assert_eq!(both.words(&id).await, words("admin", "pro"));
        assert_eq!(both.chosen(), [Some("admin".to_owned()), Some("pro".to_owned())]);
        both.choose(&id, json!({"role": null, "plan": null})).await;
        assert_eq!(both.words(&id).await, words("user", "free"));
        both.emulator.set_outage(Outage::None);
        both.quiet().await;
        assert_eq!(metadata(&both, &id), before);
        assert_eq!(both.emulator.metadata_writes(&id), writes);
        assert_eq!(both.words(&id).await, words("user", "free"));
    }

    async fn trap_28_null_after_the_provider_took_it_over_changes_nothing(engine) {
        let both = Emulated::start(engine).await;
        let id = sign_up(&both).await;
        both.choose(&id, json!({"role": "admin", "plan": "pro"})).await;
        both.quiet().await;
        let (before, writes) = (metadata(&both, &id), both.emulator.metadata_writes(&id));
        both.choose(&id, json!({"role": null, "plan": null})).await;
        both.quiet().await;
        assert_eq!(metadata(&both, &id), before);
        assert_eq!(both.emulator.metadata_writes(&id), writes);
        assert_eq!(both.words(&id).await, words("admin", "pro"), "it is the provider's word now");
    }

    async fn a_choice_survives_events_that_overtake_it_and_the_older_one_in_flight(engine) {
        let both = Emulated::start(engine).await;
        let id = sign_up(&both).await;
        let old = both.emulator.user(&id).unwrap();
        both.emulator.set_outage(Outage::Unavailable);
        both.choose(&id, json!({"role": "admin"})).await;
        both.emulator.update_user(&id, json!({"last_name": "Lovelace"}));
        both.emulator.settled().await;
        let row = both.user(&id).await;
        assert_eq!((&row["role"], &row["name"]), (&json!("admin"), &json!("Ada Lovelace")));
        both.emulator.set_outage(Outage::None);
        both.quiet().await;
        assert_eq!((both.metadata(&id)["role"].clone(), both.chosen()), (json!("admin"), vec![None, None]));
        let event = json!({"type": "user.updated", "object": "event", "data": old, "timestamp": now_seconds() * 1000});
        let secret = &both.emulator.credentials().webhook_secret;
        let late = Signed::by(secret, now_seconds(), event.to_string()).post(&both).await;
        assert_eq!(late.outcome(), "stale");
        assert_eq!(both.words(&id).await, words("admin", "free"));
    }

    async fn a_choice_of_the_word_that_is_there_costs_no_write(engine) {
        let both = Emulated::start(engine).await;
        let id = sign_up(&both).await;
        let writes = both.emulator.metadata_writes(&id);
        both.choose(&id, json!({"role": "user"})).await;
        both.quiet().await;
        assert_eq!(both.emulator.metadata_writes(&id), writes);
        assert_eq!(both.chosen(), [None, None]);
    }

    async fn a_choice_is_in_the_next_session_token_and_in_the_answer_to_its_user(engine) {
        let both = Emulated::start(engine).await;
        let id = sign_up(&both).await;
        let token = both.emulator.session_token(&id);
        both.choose(&id, json!({"role": "admin"})).await;
        let answer = both.get_as(&token, "/v1/me").await;
        assert_eq!(answer.body["user"]["role"], "admin", "at once, whatever the token says");
        both.quiet().await;
        assert_eq!(both.me(&id).await.body["user"]["role"], "admin");
    }
}
