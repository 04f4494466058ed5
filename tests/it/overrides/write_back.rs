//! An override is written back, and changes nothing else at the provider.

use super::words;
use crate::support::{Delivery, Engine, TestApp, now_seconds};
use clerk_emulator::Outage;
use serde_json::{Value, json};

/// A user with metadata of every kind, already written back.
async fn with_user(engine: Engine) -> (TestApp, String) {
    let app = TestApp::builder(engine).emulated().start().await;
    let user = app.emulator.create_user(json!({
        "first_name": "Ada", "email_address": ["ada@example.org"],
        "public_metadata": {"role": "user", "theme": "dark"},
        "private_metadata": {"role": "owner", "plan": "secret", "dbId": "x"},
        "unsafe_metadata": {"role": "admin", "plan": "gold", "dbId": "y"},
    }));
    app.quiet().await;
    (app, user["id"].as_str().unwrap().to_owned())
}

fn metadata(app: &TestApp, id: &str) -> [Value; 3] {
    let user = app.emulator.user(id).unwrap();
    ["public_metadata", "private_metadata", "unsafe_metadata"].map(|kind| user[kind].clone())
}

both_engines! {
    async fn trap_28_a_choice_is_merged_into_what_is_there((app, id) = with_user) {
        let [mut public, private, unsafe_] = metadata(&app, &id);
        assert_eq!(app.choose(&id, json!({"role": "admin", "plan": "pro"})).await.status, 200);
        app.quiet().await;
        public["role"] = "admin".into();
        public["plan"] = "pro".into();
        assert_eq!(metadata(&app, &id), [public, private, unsafe_]);
        assert_eq!(app.words(&id).await, words("admin", "pro"));
        assert_eq!(app.chosen(), [None, None], "the provider has taken it over");
        assert_eq!(app.emulator.metadata_writes(&id), 2);
    }

    async fn trap_28_null_drops_a_choice_that_was_not_sent_and_no_key_of_the_provider((app, id) = with_user) {
        let (before, writes) = (metadata(&app, &id), app.emulator.metadata_writes(&id));
        app.emulator.set_outage(Outage::Unavailable);
        app.choose(&id, json!({"role": "admin", "plan": "pro"})).await;
        assert_eq!(app.words(&id).await, words("admin", "pro"));
        assert_eq!(app.chosen(), [Some("admin".to_owned()), Some("pro".to_owned())]);
        app.choose(&id, json!({"role": null, "plan": null})).await;
        assert_eq!(app.words(&id).await, words("user", "free"));
        app.emulator.set_outage(Outage::None);
        app.quiet().await;
        assert_eq!(metadata(&app, &id), before);
        assert_eq!(app.emulator.metadata_writes(&id), writes);
        assert_eq!(app.words(&id).await, words("user", "free"));
    }

    async fn trap_28_null_after_the_provider_took_it_over_changes_nothing((app, id) = with_user) {
        app.choose(&id, json!({"role": "admin", "plan": "pro"})).await;
        app.quiet().await;
        let (before, writes) = (metadata(&app, &id), app.emulator.metadata_writes(&id));
        app.choose(&id, json!({"role": null, "plan": null})).await;
        app.quiet().await;
        assert_eq!(metadata(&app, &id), before);
        assert_eq!(app.emulator.metadata_writes(&id), writes);
        assert_eq!(app.words(&id).await, words("admin", "pro"), "it is the provider's word now");
    }

    async fn a_choice_survives_events_that_overtake_it_and_the_older_one_in_flight((app, id) = with_user) {
        let old = app.emulator.user(&id).unwrap();
        app.emulator.set_outage(Outage::Unavailable);
        app.choose(&id, json!({"role": "admin"})).await;
        app.emulator.update_user(&id, json!({"last_name": "Lovelace"}));
        app.emulator.wait_until_idle().await;
        let row = app.user(&id).await;
        assert_eq!((&row["role"], &row["name"]), (&json!("admin"), &json!("Ada Lovelace")));
        app.emulator.set_outage(Outage::None);
        app.quiet().await;
        assert_eq!((app.metadata(&id)["role"].clone(), app.chosen()), (json!("admin"), vec![None, None]));
        let event = json!({"type": "user.updated", "object": "event", "data": old, "timestamp": now_seconds() * 1000});
        let secret = &app.emulator.credentials().webhook_secret;
        let late = Delivery::by(secret, now_seconds(), event.to_string()).post(&app).await;
        assert_eq!(late.outcome(), "stale");
        assert_eq!(app.words(&id).await, words("admin", "free"));
    }

    async fn a_choice_of_the_word_that_is_there_costs_no_write((app, id) = with_user) {
        let writes = app.emulator.metadata_writes(&id);
        app.choose(&id, json!({"role": "user"})).await;
        app.quiet().await;
        assert_eq!(app.emulator.metadata_writes(&id), writes);
        assert_eq!(app.chosen(), [None, None]);
    }

    async fn a_choice_is_in_the_next_session_token_and_in_the_answer_to_its_user((app, id) = with_user) {
        let token = app.emulator.session_token(&id);
        app.choose(&id, json!({"role": "admin"})).await;
        let answer = app.get_as(&token, "/v1/me").await;
        assert_eq!(answer.body["user"]["role"], "admin", "at once, whatever the token says");
        app.quiet().await;
        assert_eq!(app.me(&id).await.body["user"]["role"], "admin");
    }
}
