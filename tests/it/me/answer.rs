//! What the answer holds, and what it is made of: the row, and nothing of the token but the ids.

use super::without_write_back;
use crate::both_engines;
use crate::support::{Emulated, Mint, now_seconds};
use serde_json::{Value, json};

/// The answer as it goes over the wire.
async fn text(both: &Emulated, token: &str) -> String {
    let request = both.client.get(format!("{}/v1/me", both.origin)).bearer_auth(token);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "application/json");
    response.text().await.unwrap()
}

both_engines! {
    async fn the_answer_has_these_fields_in_this_order(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        let row = both.user(&id).await;
        let mut claims = Mint::of(&both.emulator, &id).claims();
        claims["exp"] = 4_102_444_800_i64.into();
        let mint = Mint::of(&both.emulator, &id);
        let expected = format!(
            r#"{{"user":{{"id":{},"email":"ada@example.org","name":"Ada","image":{},"plan":"free","role":"user"}},"external_id":"{id}","session_id":"sess_1","expires_at":"2100-01-01T00:00:00.000Z","created":false}}"#,
            row["id"], row["image_url"],
        );
        assert_eq!(text(&both, &mint.sign(&mint.header(), &claims)).await, expected);
        assert!(row["image_url"].is_string());
    }

    async fn what_a_user_does_not_have_is_null(engine) {
        let both = without_write_back(engine).await;
        let id = both.emulator.create_user(json!({"username": "ada"}))["id"].clone();
        both.emulator.settled().await;
        let person = both.me(id.as_str().unwrap()).await.body["user"].clone();
        assert_eq!((&person["email"], &person["name"]), (&Value::Null, &json!("ada")));
        assert_eq!(person.as_object().unwrap().len(), 6);
    }

    async fn the_end_of_the_token_is_the_end_of_the_answer(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        let mint = Mint::of(&both.emulator, &id);
        for ahead in [30, 3600] {
            let end = now_seconds() + ahead;
            let answer = both.get_as(&mint.with("exp", end), "/v1/me").await;
            let told: jiff::Timestamp = answer.body["expires_at"].as_str().unwrap().parse().unwrap();
            assert_eq!(told.as_second(), end);
        }
        let endless = both.get_as(&mint.with("exp", i64::MAX), "/v1/me").await;
        assert_eq!((endless.status.as_u16(), &endless.body["expires_at"]), (200, &Value::Null));
    }

    async fn trap_30_whoever_has_a_row_is_found_by_sub_whatever_the_token_says_of_our_id(engine) {
        let both = without_write_back(engine).await;
        let (ada, grace) = (both.sign_up_and_settle("Ada").await, both.sign_up_and_settle("Grace").await);
        let (ours, other) = (both.user(&ada).await["id"].clone(), both.user(&grace).await["id"].clone());
        let mint = Mint::of(&both.emulator, &ada);
        // The first token after a sign-up has no id of ours yet.
        let fresh = both.emulator.session_token(&ada);
        for token in [fresh, mint.without("dbId"), mint.with("dbId", Value::Null), mint.with("dbId", other)] {
            let answer = both.get_as(&token, "/v1/me").await;
            assert_eq!((&answer.body["user"]["id"], &answer.body["created"]), (&ours, &json!(false)));
        }
        assert_eq!(both.looks(), 0, "a user who has a row costs no call");
    }

    async fn trap_29_role_and_plan_are_the_rows_and_never_the_tokens(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        both.emulator.update_user(&id, json!({"unsafe_metadata": {"role": "admin", "plan": "pro"}}));
        both.emulator.settled().await;
        let mint = Mint::of(&both.emulator, &id);
        let mut claims = mint.claims();
        for (name, value) in [("role", "admin"), ("plan", "pro"), ("pla", "u:pro"), ("email", "x@example.net")] {
            claims[name] = value.into();
        }
        claims["metadata"] = json!({"role": "admin"});
        let answer = both.get_as(&mint.sign(&mint.header(), &claims), "/v1/me").await;
        let person = &answer.body["user"];
        assert_eq!((&person["role"], &person["plan"]), (&json!("user"), &json!("free")));
        assert_eq!(person["email"], "ada@example.org");
        both.emulator.merge_public_metadata(&id, json!({"role": "admin", "plan": "pro"}));
        both.emulator.settled().await;
        let person = both.me(&id).await.body["user"].clone();
        assert_eq!((&person["role"], &person["plan"]), (&json!("admin"), &json!("pro")));
    }

    async fn what_an_event_changed_the_next_request_sees_under_the_same_token(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        let token = both.emulator.session_token(&id);
        assert_eq!(both.get_as(&token, "/v1/me").await.body["user"]["name"], "Ada");
        both.emulator.update_user(&id, json!({"last_name": "Lovelace"}));
        both.emulator.settled().await;
        assert_eq!(both.get_as(&token, "/v1/me").await.body["user"]["name"], "Ada Lovelace");
    }

    async fn head_says_who_may_come_in_without_a_word(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        let ask = async |token: String| {
            let request = both.client.head(format!("{}/v1/me", both.origin)).bearer_auth(token);
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.bytes().await.unwrap().len())
        };
        assert_eq!(ask(both.emulator.session_token(&id)).await, (200, 0));
        assert_eq!(ask("a.b.c".to_owned()).await, (401, 0));
    }
}
