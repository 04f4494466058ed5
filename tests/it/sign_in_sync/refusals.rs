//! Who is not redirected, and how each kind of client is answered.

use super::{HTML, JSON, PATH, Visitor, signed_in};
use crate::support::{Blocked, NO_WRITE_BACK, TestApp, TestEmulator, deleted, until_true};
use clerk_emulator::{ISSUER, Outage};
use serde_json::json;
use std::time::{Duration, Instant};

/// Two seconds for the write-back and the time of a fetch; less than the ten after which the call
/// itself is given up.
const HELD_AT_MOST: Duration = Duration::from_secs(9);

both_engines! {
    async fn a_browser_without_a_session_signs_in_and_comes_back(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        let page = Visitor::stranger(&app).asks_for("/x?a=1").await;
        assert_eq!(page.location(), "/sign-in?redirect_url=%2Fx%3Fa%3D1%26usersync%3D0");
        let invalid = Visitor::browser(&app, "not-a-token").visits(PATH).await;
        assert_eq!(invalid.location(), "/sign-in?redirect_url=%2F%3Fusersync%3D0");
        assert_eq!(app.database.count("users"), 0);
    }

    async fn the_place_to_sign_in_is_another_path_or_another_host(engine) {
        for (place, expected) in [
            ("/accounts/in?theme=dark", "/accounts/in?theme=dark&redirect_url=%2Fx%3Fusersync%3D0"),
            ("https://accounts.example.com/in", "https://accounts.example.com/in?redirect_url=%2Fx%3Fusersync%3D0"),
        ] {
            let app = TestApp::builder(engine).manual_events().variables(&[("USERSYNC_SIGN_IN_URL", place)]).start().await;
            let page = Visitor::stranger(&app).asks_for("/x").await;
            assert_eq!(page.location(), expected);
        }
    }

    async fn a_program_without_a_session_is_answered_401(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        for accept in [None, Some("*/*"), Some(JSON)] {
            let stranger = Visitor::stranger(&app).accepting(accept);
            assert_eq!(stranger.asks_for("/x").await.problem(), (401, "session_missing".to_owned()), "{accept:?}");
        }
    }

    async fn while_the_provider_is_down_nothing_changes_and_every_client_is_answered_503(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let (known, new) = (app.sign_up("Ada"), app.sign_up("Grace"));
        app.send(&app.event_of(&known)).await;
        app.emulator.set_outage(Outage::Unavailable);
        let before = app.user(&known).await;
        for id in [&known, &new] {
            let token = app.emulator.session_token(id);
            let browser = Visitor::browser(&app, &token);
            let page = browser.visits(PATH).await;
            let (status, text) = page.html();
            assert_eq!(status, 503);
            assert!(text.contains("could not be asked") && page.header("retry-after").is_some(), "{text}");
            for accept in [None, Some(JSON)] {
                assert_eq!(browser.accepting(accept).visits(PATH).await.problem(), (503, "user_not_synced".to_owned()));
            }
        }
        assert_eq!((app.user(&known).await, app.database.count("users")), (before, 1));
        app.emulator.set_outage(Outage::None);
        let token = app.emulator.session_token(&new);
        until_true("the provider is asked again", async || {
            Visitor::browser(&app, &token).visits(PATH).await.status == 303
        })
        .await;
    }

    async fn without_an_api_key_every_client_is_shown_what_is_missing(engine) {
        let emulator = TestEmulator::start();
        let key = emulator.credentials().jwt_key.clone();
        let url = emulator.credentials().api_url.clone();
        let variables = [("CLERK_JWT_KEY", &*key), ("CLERK_ISSUER", ISSUER), ("CLERK_API_URL", &*url)];
        let app = TestApp::builder(engine).variables(&variables).start().await;
        let user = emulator.create_user(json!({"email_address": ["ada@example.org"]}));
        let token = emulator.session_token(user["id"].as_str().unwrap());
        let browser = Visitor::browser(&app, &token);
        let page = browser.visits(PATH).await;
        let (status, text) = page.html();
        assert!(status == 503 && text.contains("CLERK_SECRET_KEY"), "{status} {text}");
        assert_eq!(browser.accepting(Some(JSON)).visits(PATH).await.problem(), (503, "api_not_configured".to_owned()));
    }

    async fn a_deleted_user_is_refused_without_a_call(engine) {
        let (app, id, token) = signed_in(engine, &[]).await;
        app.send(&deleted(&id)).await;
        refused(&app, &token, "user_deleted").await;
        assert_eq!(app.emulator.counts().all_requests(), 0);
        assert_eq!(app.column(&id, "deletion_kind").as_deref(), Some("signed"));
    }

    async fn a_banned_user_is_refused_as_soon_as_the_provider_says_so(engine) {
        let (app, id, token) = signed_in(engine, &[NO_WRITE_BACK]).await;
        app.send(&app.event_of(&id)).await;
        app.emulator.ban(&id, true);
        refused(&app, &token, "user_banned").await;
        assert_eq!(app.user(&id).await["status"], "banned");
    }

    async fn a_ban_whose_end_was_not_delivered_is_over_at_the_next_sign_in(engine) {
        let (app, id, token) = signed_in(engine, &[NO_WRITE_BACK]).await;
        app.emulator.ban(&id, true);
        app.send(&app.event_of(&id)).await;
        app.emulator.ban(&id, false);
        let browser = Visitor::browser(&app, &token);
        // Until the provider can be asked, the row counts.
        app.emulator.set_outage(Outage::Unauthorized);
        assert_eq!(browser.accepting(Some(JSON)).visits(PATH).await.problem(), (403, "user_banned".to_owned()));
        app.emulator.set_outage(Outage::None);
        assert_eq!(browser.visits(PATH).await.location(), "/?usersync=1");
        assert_eq!(app.user(&id).await["status"], "active");
    }

    async fn a_user_whom_the_provider_does_not_know_is_refused_and_asked_for_once(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        let token = app.emulator.session_token("user_invented");
        refused(&app, &token, "user_unknown").await;
        assert_eq!(app.emulator.counts().requests_of("get"), 1);
        assert_eq!(app.database.count("users"), 0);
    }

    async fn a_provider_that_leaves_a_write_unanswered_holds_the_browser_for_two_seconds(engine) {
        // No worker takes the write-back out of the request's hands.
        let builder = TestApp::builder(engine).manual_events().variables(&[("USERSYNC_WORKERS", "off")]);
        let (app, proxy) = builder.start_behind_proxy().await;
        proxy.block(Blocked::Writes);
        let id = app.sign_up("Ada");
        let token = app.emulator.session_token(&id);
        let started = Instant::now();
        let page = Visitor::browser(&app, &token).asks_for("/x").await;
        assert_eq!(page.location(), "/x?usersync=1");
        assert!(started.elapsed() < HELD_AT_MOST, "{:?}", started.elapsed());
        assert_eq!(app.user(&id).await["email"], "ada@example.org");
        assert_eq!(app.metadata(&id), json!({}));
        // It stays due: a worker writes it back later.
        assert_eq!(app.database.count("write_backs WHERE state = 'due'"), 1);
    }
}

/// Every client with the token is refused for this reason, a browser by a page.
async fn refused(app: &TestApp, token: &str, code: &str) {
    let browser = Visitor::browser(app, token);
    for accept in [Some(JSON), None, Some("*/*")] {
        let page = browser.accepting(accept).asks_for("/x").await;
        assert_eq!(page.problem(), (403, code.to_owned()), "{accept:?}");
    }
    let page = browser.accepting(Some(HTML)).asks_for("/x").await;
    let (status, text) = page.html();
    assert_eq!((status, page.goes_on()), (403, None));
    assert!(text.contains("user"), "{text}");
}
