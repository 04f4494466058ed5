//! No token, cookie or key is logged, whatever is asked for.

use crate::support::{ADMIN_TOKEN, SessionTokens, TestApp, TestDatabase, TestEmulator};
use clerk_emulator::Outage;
use serde_json::{Value, json};

both_engines! {
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
        app.emulator.settled().await;
        let token = app.emulator.session_token(&id);
        for query in ["token", "__session", "access_token", "__clerk_db_jwt", "jwt"] {
            let answer = app.get(&format!("/v1/me?{query}={token}")).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "session_missing"), "{query}");
        }
    }
}
