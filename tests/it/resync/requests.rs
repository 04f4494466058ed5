//! Who may ask for a resync, and for what.

use crate::support::{ADMIN_TOKEN, READ_TOKEN, TestApp, outcomes, user_id};
use reqwest::Method;
use serde_json::{Value, json};

fn ids(count: usize) -> Vec<String> {
    (0..count).map(user_id).collect()
}

both_engines! {
    async fn only_an_operator_may_resync(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        let id = app.sign_up("Ada");
        let session = app.emulator.session_token(&id);
        let body = json!({"user_ids": [id]}).to_string();
        for (token, status, code) in [
            (None, 401, "unauthorized"),
            (Some("wrong"), 401, "unauthorized"),
            (Some(session.as_str()), 401, "unauthorized"),
            (Some(READ_TOKEN), 403, "forbidden"),
        ] {
            let answer = app.ask_as(token, Method::POST, "/v1/reconcile", Some(body.clone())).await;
            answer.assert_problem(status, code);
        }
        // Nor by a cookie: it changes something.
        let request = app.http.post(format!("{}/v1/reconcile", app.origin)).body(body);
        let request = request.header("cookie", format!("__session={session}"));
        assert_eq!(request.send().await.unwrap().status(), 401);
        assert_eq!((app.emulator.counts().all_requests(), app.database.count("users")), (0, 0));
    }

    async fn a_hundred_users_may_be_named_and_not_one_more_or_none(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        assert_eq!(outcomes(&app.resync(&ids(100)).await), vec!["unknown"; 100]);
        let calls = app.emulator.counts().all_requests();
        for wrong in [ids(101), ids(0)] {
            app.resync(&wrong).await.assert_problem(400, "invalid_body");
        }
        assert_eq!(app.emulator.counts().all_requests(), calls);
    }

    async fn a_body_of_another_shape_is_refused_and_says_what_to_send(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        let shapes = [
            json!({}),
            json!([user_id(1)]),
            json!({"user_ids": user_id(1)}),
            json!({"user_ids": [1]}),
            json!({"user_ids": [null]}),
            json!({"user_ids": [" "]}),
            json!({"user_ids": [""]}),
            json!({"user_ids": [user_id(1)], "users": []}),
            json!({"user_ids": [user_id(1)], "take_over": "yes"}),
            Value::Null,
        ];
        let broken = [String::new(), "{\"user_ids\": [".to_owned(), "user_ids=1".to_owned()];
        for body in shapes.iter().map(Value::to_string).chain(broken) {
            let answer = app.ask_as(Some(ADMIN_TOKEN), Method::POST, "/v1/reconcile", Some(body.clone())).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_body"), "{body}");
            assert!(answer.body["detail"].as_str().unwrap().contains("user_ids"), "{body}");
        }
        assert_eq!(app.emulator.counts().all_requests(), 0);
    }

    async fn ids_of_any_spelling_reach_the_provider_as_one_user_or_not_at_all(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        let known = app.sign_up("Ada");
        let odd = ["../users", "count", "user_1/metadata", "a?b=c", "%2e%2e", ".", "..", "é"];
        let answer = app.resync(&odd).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for one in answer.body["data"].as_array().unwrap() {
            assert!(["unknown", "failed"].contains(&one["outcome"].as_str().unwrap()), "{one}");
        }
        assert_eq!(app.database.count("users"), 0);
        assert_eq!(app.resync_one(&known).await.0, "created");
    }

    async fn without_an_api_key_the_answer_says_what_is_missing(app = TestApp::start) {
        let answer = app.ask_as(Some(ADMIN_TOKEN), Method::POST, "/v1/reconcile", Some(json!({"user_ids": ids(1)}).to_string())).await;
        answer.assert_problem(503, "api_not_configured");
        assert!(answer.body["detail"].as_str().unwrap().contains("CLERK_SECRET_KEY"));
    }
}
