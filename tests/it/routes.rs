//! Every response is a proper one: problems have their shape, requests their id, and unknown routes
//! and methods their codes.

use crate::support::{Answer, Delivery, TestApp, user, user_id};
use reqwest::Method;
use std::collections::BTreeSet;

async fn request_id_for(app: &TestApp, given: &str) -> String {
    let request = app.http.get(format!("{}/healthz", app.origin));
    let answer = request.header("x-request-id", given).send().await.unwrap();
    answer.headers()["x-request-id"].to_str().unwrap().to_owned()
}

both_engines! {
    async fn trap_9_the_path_that_other_tools_use_works_too(app = TestApp::start) {
        let url = format!("{}/api/webhooks/clerk", app.origin);
        let signed = Delivery::event(&user(&user_id(1), 1_000));
        assert_eq!(signed.clone().post_to(&app, &url).await.outcome(), "applied");
        let unsigned = signed.without("svix-signature");
        assert_eq!(unsigned.post_to(&app, &url).await.code(), "missing_header");
    }

    async fn the_webhook_path_takes_post_only_and_says_so(app = TestApp::start) {
        for path in ["/webhooks/clerk", "/api/webhooks/clerk"] {
            for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
                let answer = app.ask(method.clone(), path, None).await;
                assert_eq!((answer.status.as_u16(), answer.code()), (405, "method_not_allowed"), "{method} {path}");
            }
        }
    }

    async fn a_refused_method_is_answered_with_the_allowed_one(app = TestApp::start) {
        let answer = app.ask(Method::GET, "/webhooks/clerk", None).await;
        let allowed = answer.headers.get("allow").and_then(|value| value.to_str().ok());
        assert_eq!(allowed, Some("POST"));
    }

    async fn every_route_says_which_methods_it_takes(app = TestApp::start) {
        for (path, allowed) in [
            ("/v1/me", "GET, HEAD"),
            ("/v1/users", "GET, HEAD"),
            ("/v1/users/user_1", "GET, HEAD, PATCH"),
            ("/v1/reconcile", "POST"),
            ("/v1/write-backs", "GET, HEAD"),
            ("/api/clerk/syncUsers", "GET, HEAD"),
            ("/healthz", "GET, HEAD"),
            ("/readyz", "GET, HEAD"),
            ("/metrics", "GET, HEAD"),
        ] {
            let answer = app.ask(Method::DELETE, path, None).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (405, "method_not_allowed"), "{path}");
            assert_eq!(answer.headers["allow"], allowed, "{path}");
        }
    }

    async fn what_is_not_there_is_a_404_problem(app = TestApp::start) {
        for path in ["/", "/webhooks", "/webhooks/other", "/v1", "/v1/nothing", "/v1/users/a/b"] {
            let answer = app.ask(Method::GET, path, None).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{path}");
        }
    }

    async fn a_problem_is_a_problem_document(app = TestApp::start) {
        let request = app.http.post(&app.url).header("x-request-id", "test-1");
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.headers["cache-control"], "no-store");
        insta::allow_duplicates!(insta::assert_json_snapshot!(answer.body, @r#"
        {
          "code": "missing_header",
          "detail": "the header `svix-id` (or `webhook-id`) is missing; only the provider's signed deliveries are accepted here",
          "request_id": "test-1",
          "status": 400,
          "title": "Bad Request",
          "type": "urn:usersync:problem:missing_header"
        }
        "#));
    }

    async fn a_request_id_is_echoed_where_it_is_plain_and_else_made(app = TestApp::start) {
        for plain in ["abc", "A-1_2.3:4", &"x".repeat(64)] {
            assert_eq!(request_id_for(&app, plain).await, plain);
        }
        let mut made = BTreeSet::new();
        for odd in ["a b", "<script>", "", &"x".repeat(65)] {
            let id = request_id_for(&app, odd).await;
            assert_ne!(id, odd);
            assert!(made.insert(id));
        }
    }

    async fn every_answer_has_a_request_id_and_a_problem_repeats_it(app = TestApp::start) {
        let fine = app.send(&user(&user_id(1), 1_000)).await;
        assert!(!fine.headers["x-request-id"].is_empty());
        let missing = app.get("/nothing").await;
        assert_eq!(missing.body["request_id"], missing.headers["x-request-id"].to_str().unwrap());
    }
}
