//! No route answers without credentials, a read token reads users only, and no credential is logged.

use super::by_key_set;
use crate::support::{
    ADMIN_TOKEN, READ_TOKEN, SessionTokens, TestApp, TestDatabase, TestEmulator, user_id,
};
use clerk_emulator::Outage;
use reqwest::Method;
use serde_json::{Value, json};

const ADMIN_ROUTES: [(Method, &str); 3] = [
    (Method::POST, "/v1/reconcile"),
    (Method::GET, "/v1/write-backs"),
    (Method::PATCH, "/v1/users/user_1"),
];

const SESSION_ROUTES: [(Method, &str); 2] =
    [(Method::GET, "/v1/me"), (Method::GET, "/api/clerk/syncUsers")];

both_engines! {
    async fn without_credentials_every_route_is_closed(engine) {
        let (app, _) = by_key_set(engine, "").await;
        for (method, path) in ADMIN_ROUTES {
            for token in [None, Some(""), Some("wrong-token-of-nobody-0123456789abcdef")] {
                let answer = app.ask_as(token, method.clone(), path, None).await;
                assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthorized"), "{method} {path}");
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
        }
        for (method, path) in SESSION_ROUTES {
            let answer = app.ask_as(None, method.clone(), path, None).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "session_missing"), "{method} {path}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        assert_eq!(app.emulator.counts().all_requests(), 0);
    }

    async fn a_read_token_is_forbidden_what_operators_do(engine) {
        let (app, _) = by_key_set(engine, "").await;
        for (method, path) in ADMIN_ROUTES {
            let answer = app.ask_as(Some(READ_TOKEN), method.clone(), path, None).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (403, "forbidden"), "{method} {path}");
            let answer = app.ask_as(Some(ADMIN_TOKEN), method.clone(), path, None).await;
            assert!(![401, 403].contains(&answer.status.as_u16()), "{method} {path}: {answer:?}");
        }
        assert_eq!(app.emulator.counts().all_requests(), 0);
    }

    async fn a_client_without_a_token_learns_of_no_user(engine) {
        let (app, tokens) = by_key_set(engine, "").await;
        for token in [None, Some("wrong-token-of-nobody-0123456789abcdef")] {
            for (method, body) in [(Method::GET, ""), (Method::PATCH, "not json")] {
                for user in [&tokens.subject, &user_id(9)] {
                    let path = format!("/v1/users/{user}");
                    let answer = app.ask_as(token, method.clone(), &path, Some(body.to_owned())).await;
                    answer.assert_problem(401, "unauthorized");
                }
            }
        }
    }

    async fn no_token_cookie_or_key_is_logged_whatever_rust_log_says(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let builder = TestApp::builder(&database).emulator(&emulator);
        let mut service = builder.variables(&[("RUST_LOG", "trace")]).start_process().await;
        let (client, url) = (service.http.clone(), format!("{}/v1/me", service.origin));
        let created = emulator.create_user(json!({"first_name": "Ada", "email_address": ["ada@example.org"]}));
        let tokens = SessionTokens::of(&emulator, created["id"].as_str().unwrap());
        let (good, late, pending) = (tokens.good(), tokens.with("exp", 1), tokens.with("sts", "pending"));
        let acting = tokens.with("act", json!({"sub": "user_actor"}));
        for (token, status) in [(&good, 200), (&late, 401), (&pending, 401), (&acting, 200)] {
            let answer = client.get(&url).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status(), status);
            let cookie = format!("__session={token}");
            assert_eq!(client.get(&url).header("cookie", cookie).send().await.unwrap().status(), status);
        }
        emulator.set_outage(Outage::Unavailable);
        let stranger = SessionTokens::of(&emulator, "user_stranger").good();
        assert_eq!(client.get(&url).bearer_auth(&stranger).send().await.unwrap().status(), 503);
        // An impersonation is logged by ids.
        let line: Value = serde_json::from_str(&service.logged("impersonated").await).unwrap();
        assert_eq!((&line["actor"], &line["user.external_id"]), (&json!("user_actor"), &created["id"]));
        let log = service.stop().await;
        let credentials = emulator.credentials();
        let mut secrets = vec![ADMIN_TOKEN, &credentials.secret_key, &credentials.webhook_secret, "Ada", "example.org"];
        for token in [&good, &late, &pending, &acting, &stranger] {
            // Neither whole nor its signature or claims.
            secrets.extend(token.split('.').skip(1));
        }
        for secret in secrets {
            assert!(!log.contains(secret), "{secret} is logged:\n{log}");
        }
    }

    async fn an_address_never_holds_a_token(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        let id = app.sign_up("Ada");
        app.emulator.wait_until_idle().await;
        let token = app.emulator.session_token(&id);
        for query in ["token", "__session", "access_token", "__clerk_db_jwt", "jwt"] {
            let answer = app.get(&format!("/v1/me?{query}={token}")).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "session_missing"), "{query}");
        }
    }
}
