//! By which keys tokens are checked, and how seldom the provider is asked for them.

use super::{by_key_set, by_pem, me, own};
use crate::both_engines;
use crate::support::{Emulated, Mint, PARTY, Signer, TestApp, emulator, user_id};
use clerk_emulator::Outage;
use futures_util::future::join_all;
use serde_json::Value;

fn fetches(both: &Emulated) -> u64 {
    both.emulator.counts().requests_of("jwks")
}

both_engines! {
    async fn a_key_that_is_set_checks_tokens_without_asking_anybody(engine) {
        let signer = Signer::new();
        let app = by_pem(engine, &signer, PARTY).await;
        let mint = own(&signer);
        let mut header = mint.header();
        header.as_object_mut().unwrap().remove("kid");
        for token in [mint.good(), mint.sign(&header, &mint.claims()), mint.headed("kid", "any")] {
            let answer = me(&app, &token).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.body["external_id"], user_id(1).as_str());
        }
        app.stop().await;
    }

    async fn a_key_that_is_set_needs_no_publishable_key_beside_the_issuer(engine) {
        let emulator = emulator();
        let credentials = emulator.credentials();
        let variables = [
            ("CLERK_JWT_KEY", credentials.jwt_key.as_str()),
            ("CLERK_ISSUER", credentials.issuer.as_str()),
            ("CLERK_API_URL", credentials.api_url.as_str()),
        ];
        let app = TestApp::start_with(engine, &variables).await;
        // The session is valid; that there is no row, and nobody to ask for it, is another matter.
        let answer = me(&app, &emulator.session_token("user_1")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "user_not_synced"));
        let foreign = Mint::own(&Signer::new(), &credentials.issuer, "user_1").good();
        assert_eq!(me(&app, &foreign).await.code(), "token_signature");
        assert_eq!(emulator.counts().all_requests(), 0);
        app.stop().await;
    }

    async fn a_key_set_is_fetched_once_and_only_when_a_token_comes(engine) {
        let (both, id) = by_key_set(engine, PARTY).await;
        assert_eq!(fetches(&both), 0);
        let mint = Mint::of(&both.emulator, &id);
        let tokens: Vec<String> = (0..20).map(|number| mint.with("jti", number)).collect();
        let answers = join_all(tokens.iter().map(|token| me(&both, token))).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!(fetches(&both), 1);
    }

    async fn trap_41_made_up_names_of_keys_cost_the_provider_one_request(engine) {
        let (both, id) = by_key_set(engine, PARTY).await;
        let mint = Mint::of(&both.emulator, &id);
        assert_eq!(me(&both, &mint.good()).await.status, 200);
        assert_eq!(fetches(&both), 1);
        let forged: Vec<String> =
            (0..50).map(|number| mint.headed("kid", format!("ins_{number}"))).collect();
        for answer in join_all(forged.iter().map(|token| me(&both, token))).await {
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "token_key_unknown"));
        }
        assert_eq!(me(&both, &mint.headed("kid", "ins_later")).await.code(), "token_key_unknown");
        assert_eq!(fetches(&both), 2);
        assert_eq!(me(&both, &mint.with("jti", "y")).await.status, 200);
        assert_eq!(fetches(&both), 2);
    }

    async fn a_token_that_names_no_key_asks_for_none(engine) {
        let (both, id) = by_key_set(engine, PARTY).await;
        let mint = Mint::of(&both.emulator, &id);
        let mut header = mint.header();
        header.as_object_mut().unwrap().remove("kid");
        let answer = me(&both, &mint.sign(&header, &mint.claims())).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "token_key_unknown"));
        assert_eq!(me(&both, &mint.headed("kid", Value::Null)).await.code(), "token_malformed");
        assert_eq!(fetches(&both), 0);
    }

    async fn where_no_keys_can_be_had_nobody_is_refused_for_good(engine) {
        let (both, id) = by_key_set(engine, PARTY).await;
        let mint = Mint::of(&both.emulator, &id);
        both.emulator.set_outage(Outage::Unavailable);
        let answer = me(&both, &mint.good()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "keys_unavailable"), "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"));
        assert!(!answer.body.to_string().contains("127.0.0.1"), "{answer:?}");
        // What can be told without a key is told all the same.
        assert_eq!(me(&both, &mint.headed("alg", "none")).await.code(), "token_algorithm");
        let requests = fetches(&both);
        let crowd: Vec<String> = (0..20).map(|number| mint.with("jti", number)).collect();
        for answer in join_all(crowd.iter().map(|token| me(&both, token))).await {
            assert_eq!(answer.code(), "keys_unavailable");
        }
        assert!(fetches(&both) <= requests + 2, "each of them asked the provider");
    }

    async fn known_keys_stay_in_use_while_the_provider_is_away(engine) {
        let (both, id) = by_key_set(engine, PARTY).await;
        let mint = Mint::of(&both.emulator, &id);
        assert_eq!(me(&both, &mint.good()).await.status, 200);
        both.emulator.set_outage(Outage::Unavailable);
        assert_eq!(me(&both, &mint.headed("kid", "ins_other")).await.code(), "token_key_unknown");
        assert_eq!(me(&both, &mint.with("jti", "fresh")).await.status, 200);
    }

    async fn where_nothing_is_configured_the_answer_says_what_to_set(engine) {
        let app = TestApp::start(engine).await;
        let signer = Signer::new();
        for token in [own(&signer).good(), "x".to_owned()] {
            let answer = me(&app, &token).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "sessions_not_configured"));
            assert!(answer.body["detail"].as_str().unwrap().contains("CLERK_PUBLISHABLE_KEY"));
        }
        assert_eq!(app.get("/v1/me").await.code(), "sessions_not_configured");
        assert_eq!(app.get("/api/clerk/syncUsers").await.code(), "sessions_not_configured");
        app.stop().await;
    }
}
