//! By which keys tokens are checked, and how seldom the provider is asked for them.

use super::{by_key_set, by_pem, me, own};
use crate::support::{PARTY, SessionTokens, Signer, TestApp, TestEmulator, user_id};
use clerk_emulator::Outage;
use futures_util::future::join_all;
use serde_json::Value;

fn fetches(app: &TestApp) -> u64 {
    app.emulator.counts().requests_of("jwks")
}

both_engines! {
    async fn a_key_that_is_set_checks_tokens_without_a_request(engine) {
        let (app, tokens) = by_pem(engine, PARTY).await;
        let mut header = tokens.header();
        header.as_object_mut().unwrap().remove("kid");
        for token in [tokens.good(), tokens.sign(&header, &tokens.claims()), tokens.headed("kid", "any")] {
            let answer = me(&app, &token).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.body["external_id"], user_id(1).as_str());
        }
    }

    async fn a_key_that_is_set_needs_no_publishable_key_beside_the_issuer(engine) {
        let emulator = TestEmulator::start();
        let credentials = emulator.credentials();
        let variables = [
            ("CLERK_JWT_KEY", credentials.jwt_key.as_str()),
            ("CLERK_ISSUER", credentials.issuer.as_str()),
            ("CLERK_API_URL", credentials.api_url.as_str()),
        ];
        let app = TestApp::builder(engine).variables(&variables).start().await;
        // The session is valid, but there is no row, and no key to fetch it with.
        me(&app, &emulator.session_token("user_1")).await.assert_problem(503, "user_not_synced");
        let foreign = SessionTokens::own(&Signer::new(), &credentials.issuer, "user_1").good();
        assert_eq!(me(&app, &foreign).await.code(), "token_signature");
        assert_eq!(emulator.counts().all_requests(), 0);
    }

    async fn a_key_set_is_fetched_once_and_only_when_a_token_comes(engine) {
        let (app, tokens) = by_key_set(engine, PARTY).await;
        assert_eq!(fetches(&app), 0);
        let tokens: Vec<String> = (0..20).map(|number| tokens.with("jti", number)).collect();
        let answers = join_all(tokens.iter().map(|token| me(&app, token))).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!(fetches(&app), 1);
    }

    async fn trap_41_made_up_names_of_keys_cost_the_provider_one_request(engine) {
        let (app, tokens) = by_key_set(engine, PARTY).await;
        assert_eq!(me(&app, &tokens.good()).await.status, 200);
        assert_eq!(fetches(&app), 1);
        let forged: Vec<String> =
            (0..50).map(|number| tokens.headed("kid", format!("ins_{number}"))).collect();
        for answer in join_all(forged.iter().map(|token| me(&app, token))).await {
            answer.assert_problem(401, "token_key_unknown");
        }
        assert_eq!(me(&app, &tokens.headed("kid", "ins_later")).await.code(), "token_key_unknown");
        assert_eq!(fetches(&app), 2);
        assert_eq!(me(&app, &tokens.with("jti", "y")).await.status, 200);
        assert_eq!(fetches(&app), 2);
    }

    async fn a_token_that_names_no_key_asks_for_none(engine) {
        let (app, tokens) = by_key_set(engine, PARTY).await;
        let mut header = tokens.header();
        header.as_object_mut().unwrap().remove("kid");
        let answer = me(&app, &tokens.sign(&header, &tokens.claims())).await;
        answer.assert_problem(401, "token_key_unknown");
        assert_eq!(me(&app, &tokens.headed("kid", Value::Null)).await.code(), "token_malformed");
        assert_eq!(fetches(&app), 0);
    }

    async fn where_no_keys_can_be_had_no_client_is_refused_for_good(engine) {
        let (app, tokens) = by_key_set(engine, PARTY).await;
        app.emulator.set_outage(Outage::Unavailable);
        let answer = me(&app, &tokens.good()).await;
        answer.assert_problem(503, "keys_unavailable");
        assert!(answer.headers.contains_key("retry-after"));
        assert!(!answer.body.to_string().contains("127.0.0.1"), "{answer:?}");
        // What can be refused without a key is refused.
        assert_eq!(me(&app, &tokens.headed("alg", "none")).await.code(), "token_algorithm");
        let requests = fetches(&app);
        let crowd: Vec<String> = (0..20).map(|number| tokens.with("jti", number)).collect();
        for answer in join_all(crowd.iter().map(|token| me(&app, token))).await {
            assert_eq!(answer.code(), "keys_unavailable");
        }
        assert!(fetches(&app) <= requests + 2, "each of them asked the provider");
    }

    async fn known_keys_stay_in_use_while_the_provider_is_away(engine) {
        let (app, tokens) = by_key_set(engine, PARTY).await;
        assert_eq!(me(&app, &tokens.good()).await.status, 200);
        app.emulator.set_outage(Outage::Unavailable);
        assert_eq!(me(&app, &tokens.headed("kid", "ins_other")).await.code(), "token_key_unknown");
        assert_eq!(me(&app, &tokens.with("jti", "fresh")).await.status, 200);
    }

    async fn where_nothing_is_configured_the_answer_says_what_to_set(app = TestApp::start) {
        let signer = Signer::new();
        for token in [own(&signer).good(), "x".to_owned()] {
            let answer = me(&app, &token).await;
            answer.assert_problem(401, "sessions_not_configured");
            assert!(answer.body["detail"].as_str().unwrap().contains("CLERK_PUBLISHABLE_KEY"));
        }
        assert_eq!(app.get("/v1/me").await.code(), "sessions_not_configured");
        assert_eq!(app.get("/api/clerk/syncUsers").await.code(), "sessions_not_configured");
    }
}
