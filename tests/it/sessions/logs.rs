//! No token, cookie or key is logged, whatever is asked for.

use crate::both_engines;
use crate::support::{
    ADMIN_TOKEN, Emulated, Mint, Program, TestDatabase, emulator, provider_variables,
};
use clerk_emulator::Outage;
use serde_json::{Value, json};

both_engines! {
    async fn no_token_cookie_or_key_is_logged_whatever_rust_log_says(engine) {
        let (database, emulator) = (TestDatabase::new(engine), emulator());
        let mut program = Program::on(&database)
            .with("USERSYNC_BIND", "127.0.0.1:0")
            .with("USERSYNC_ADMIN_TOKEN", ADMIN_TOKEN)
            .with("RUST_LOG", "trace");
        for (name, value) in provider_variables(&emulator) {
            program = program.with(&name, &value);
        }
        let mut running = program.start(&["serve"]);
        let ready: Value = serde_json::from_str(&running.line_with("\"ready\"")).unwrap();
        let url = format!("http://{}/v1/me", ready["address"].as_str().unwrap());
        let client = reqwest::Client::new();
        let created = emulator.create_user(json!({"first_name": "Ada", "email_address": ["ada@example.org"]}));
        let mint = Mint::of(&emulator, created["id"].as_str().unwrap());
        let (good, late, pending) = (mint.good(), mint.with("exp", 1), mint.with("sts", "pending"));
        let acting = mint.with("act", json!({"sub": "user_actor"}));
        for (token, status) in [(&good, 200), (&late, 401), (&pending, 401), (&acting, 200)] {
            let answer = client.get(&url).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status(), status);
            let cookie = format!("__session={token}");
            assert_eq!(client.get(&url).header("cookie", cookie).send().await.unwrap().status(), status);
        }
        emulator.set_outage(Outage::Unavailable);
        let stranger = Mint::of(&emulator, "user_stranger").good();
        assert_eq!(client.get(&url).bearer_auth(&stranger).send().await.unwrap().status(), 503);
        // Who acts as somebody else is told, by id.
        let line: Value = serde_json::from_str(&running.line_with("impersonated")).unwrap();
        assert_eq!((&line["actor"], &line["user.external_id"]), (&json!("user_actor"), &created["id"]));
        let (_, said) = running.terminate();
        let credentials = emulator.credentials();
        let mut secrets = vec![ADMIN_TOKEN, &credentials.secret_key, &credentials.webhook_secret, "Ada", "example.org"];
        for token in [&good, &late, &pending, &acting, &stranger] {
            // Neither whole nor its signature or claims.
            secrets.extend(token.split('.').skip(1));
        }
        for secret in secrets {
            assert!(!said.contains(secret), "{secret} is logged:\n{said}");
        }
    }

    async fn an_address_never_holds_a_token(engine) {
        let both = Emulated::start(engine).await;
        let id = both.sign_up("Ada");
        both.emulator.settled().await;
        let token = both.emulator.session_token(&id);
        for query in ["token", "__session", "access_token", "__clerk_db_jwt", "jwt"] {
            let answer = both.get(&format!("/v1/me?{query}={token}")).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "session_missing"), "{query}");
        }
    }
}
