//! What the answer holds, and what it is made of: the row, and nothing of the token but the ids.

use super::{with_row, without_write_back};
use crate::support::{SessionTokens, TestApp, now_seconds};
use serde_json::{Value, json};

async fn text(app: &TestApp, token: &str) -> String {
    let request = app.http.get(format!("{}/v1/me", app.origin)).bearer_auth(token);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "application/json");
    response.text().await.unwrap()
}

both_engines! {
    async fn the_answer_has_these_fields_in_this_order((app, id, _) = with_row) {
        let row = app.user(&id).await;
        let mut claims = SessionTokens::of(&app.emulator, &id).claims();
        claims["exp"] = 4_102_444_800_i64.into();
        let tokens = SessionTokens::of(&app.emulator, &id);
        let expected = format!(
            r#"{{"user":{{"id":{},"email":"ada@example.org","name":"Ada","image":{},"plan":"free","role":"user"}},"external_id":"{id}","session_id":"sess_1","expires_at":"2100-01-01T00:00:00.000Z","created":false}}"#,
            row["id"], row["image_url"],
        );
        assert_eq!(text(&app, &tokens.sign(&tokens.header(), &claims)).await, expected);
        assert!(row["image_url"].is_string());
    }

    async fn what_a_user_does_not_have_is_null(app = without_write_back) {
        let id = app.emulator.create_user(json!({"username": "ada"}))["id"].clone();
        app.emulator.wait_until_idle().await;
        let person = app.me(id.as_str().unwrap()).await.body["user"].clone();
        assert_eq!((&person["email"], &person["name"]), (&Value::Null, &json!("ada")));
        assert_eq!(person.as_object().unwrap().len(), 6);
    }

    async fn the_end_of_the_token_is_the_end_of_the_answer((app, id, _) = with_row) {
        let tokens = SessionTokens::of(&app.emulator, &id);
        for ahead in [30, 3600] {
            let end = now_seconds() + ahead;
            let answer = app.get_as(&tokens.with("exp", end), "/v1/me").await;
            let expiry: jiff::Timestamp = answer.body["expires_at"].as_str().unwrap().parse().unwrap();
            assert_eq!(expiry.as_second(), end);
        }
        let endless = app.get_as(&tokens.with("exp", i64::MAX), "/v1/me").await;
        assert_eq!((endless.status.as_u16(), &endless.body["expires_at"]), (200, &Value::Null));
    }

    async fn trap_30_a_row_is_found_by_sub_whatever_the_token_says_of_our_id(app = without_write_back) {
        let (ada, grace) = (app.sign_up_and_settle("Ada").await, app.sign_up_and_settle("Grace").await);
        let (ours, other) = (app.user(&ada).await["id"].clone(), app.user(&grace).await["id"].clone());
        let tokens = SessionTokens::of(&app.emulator, &ada);
        // The first token after a sign-up has no id of ours yet.
        let fresh = app.emulator.session_token(&ada);
        for token in [fresh, tokens.without("dbId"), tokens.with("dbId", Value::Null), tokens.with("dbId", other)] {
            let answer = app.get_as(&token, "/v1/me").await;
            assert_eq!((&answer.body["user"]["id"], &answer.body["created"]), (&ours, &json!(false)));
        }
        assert_eq!(app.looks(), 0, "a user who has a row costs no call");
    }

    async fn trap_29_role_and_plan_are_the_rows_and_never_the_tokens((app, id, _) = with_row) {
        app.emulator.update_user(&id, json!({"unsafe_metadata": {"role": "admin", "plan": "pro"}}));
        app.emulator.wait_until_idle().await;
        let tokens = SessionTokens::of(&app.emulator, &id);
        let mut claims = tokens.claims();
        for (name, value) in [("role", "admin"), ("plan", "pro"), ("pla", "u:pro"), ("email", "x@example.net")] {
            claims[name] = value.into();
        }
        claims["metadata"] = json!({"role": "admin"});
        let answer = app.get_as(&tokens.sign(&tokens.header(), &claims), "/v1/me").await;
        let person = &answer.body["user"];
        assert_eq!((&person["role"], &person["plan"]), (&json!("user"), &json!("free")));
        assert_eq!(person["email"], "ada@example.org");
        app.emulator.merge_public_metadata(&id, json!({"role": "admin", "plan": "pro"}));
        app.emulator.wait_until_idle().await;
        let person = app.me(&id).await.body["user"].clone();
        assert_eq!((&person["role"], &person["plan"]), (&json!("admin"), &json!("pro")));
    }

    async fn what_an_event_changed_the_next_request_sees_under_the_same_token((app, id, token) = with_row) {
        assert_eq!(app.get_as(&token, "/v1/me").await.body["user"]["name"], "Ada");
        app.emulator.update_user(&id, json!({"last_name": "Lovelace"}));
        app.emulator.wait_until_idle().await;
        assert_eq!(app.get_as(&token, "/v1/me").await.body["user"]["name"], "Ada Lovelace");
    }

    async fn head_says_who_may_come_in_without_a_word((app, id, _) = with_row) {
        let ask = async |token: String| {
            let request = app.http.head(format!("{}/v1/me", app.origin)).bearer_auth(token);
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.bytes().await.unwrap().len())
        };
        assert_eq!(ask(app.emulator.session_token(&id)).await, (200, 0));
        assert_eq!(ask("a.b.c".to_owned()).await, (401, 0));
    }
}
