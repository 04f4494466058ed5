//! Who is not sent on, and how each kind of caller is told.

use super::{HTML, JSON, PATH, Visitor};
use crate::both_engines;
use crate::support::{
    Emulated, NO_WRITE_BACK, TestApp, TestDatabase, Wire, deleted, emulator, until,
};
use clerk_emulator::{ISSUER, Outage};
use serde_json::json;
use std::time::{Duration, Instant};

/// Two seconds for the write-back, and what a fetch takes on a busy machine.
const HELD_AT_MOST: Duration = Duration::from_secs(6);

both_engines! {
    async fn a_browser_without_a_session_signs_in_and_comes_back(engine) {
        let both = Emulated::start_hearing(engine, &[]).await;
        let page = Visitor::stranger(&both).asks_for("/x?a=1").await;
        assert_eq!(page.location(), "/sign-in?redirect_url=%2Fx%3Fa%3D1%26usersync%3D0");
        let invalid = Visitor::browser(&both, "not-a-token").visits(PATH).await;
        assert_eq!(invalid.location(), "/sign-in?redirect_url=%2F%3Fusersync%3D0");
        assert_eq!(both.database.count("users"), 0);
    }

    async fn the_place_to_sign_in_is_another_path_or_another_host(engine) {
        for (place, expected) in [
            ("/accounts/in?theme=dark", "/accounts/in?theme=dark&redirect_url=%2Fx%3Fusersync%3D0"),
            ("https://accounts.example.com/in", "https://accounts.example.com/in?redirect_url=%2Fx%3Fusersync%3D0"),
        ] {
            let both = Emulated::start_hearing(engine, &[("USERSYNC_SIGN_IN_URL", place)]).await;
            let page = Visitor::stranger(&both).asks_for("/x").await;
            assert_eq!(page.location(), expected);
        }
    }

    async fn a_program_without_a_session_is_told_so(engine) {
        let both = Emulated::start_hearing(engine, &[]).await;
        for accept in [None, Some("*/*"), Some(JSON)] {
            let stranger = Visitor::stranger(&both).accepting(accept);
            let page = stranger.asks_for("/x").await;
            let (status, code) = page.problem();
            assert_eq!((status, code.as_str()), (401, "session_missing"), "{accept:?}");
        }
    }

    async fn while_the_provider_is_down_nothing_changes_and_everybody_is_told(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let (known, new) = (both.sign_up("Ada"), both.sign_up("Grace"));
        both.send(&both.event_of(&known)).await;
        both.emulator.set_outage(Outage::Unavailable);
        let before = both.user(&known).await;
        for id in [&known, &new] {
            let token = both.emulator.session_token(id);
            let browser = Visitor::browser(&both, &token);
            let page = browser.visits(PATH).await;
            let (status, text) = page.html();
            assert_eq!(status, 503);
            assert!(text.contains("could not be asked") && page.header("retry-after").is_some(), "{text}");
            for accept in [None, Some(JSON)] {
                let (status, code) = browser.accepting(accept).visits(PATH).await.problem();
                assert_eq!((status, code.as_str()), (503, "user_not_synced"));
            }
        }
        assert_eq!((both.user(&known).await, both.database.count("users")), (before, 1));
        both.emulator.set_outage(Outage::None);
        let token = both.emulator.session_token(&new);
        until("the provider is asked again", Duration::from_secs(60), async || {
            (Visitor::browser(&both, &token).visits(PATH).await.status == 303).then_some(())
        })
        .await;
    }

    async fn without_an_api_key_everybody_is_told_what_is_missing(engine) {
        let emulator = emulator();
        let key = emulator.credentials().jwt_key.clone();
        let url = emulator.credentials().api_url.clone();
        let variables = [("CLERK_JWT_KEY", &*key), ("CLERK_ISSUER", ISSUER), ("CLERK_API_URL", &*url)];
        let app = TestApp::start_with(engine, &variables).await;
        let user = emulator.create_user(json!({"email_address": ["ada@example.org"]}));
        let token = emulator.session_token(user["id"].as_str().unwrap());
        let browser = Visitor::browser(&app, &token);
        let page = browser.visits(PATH).await;
        let (status, text) = page.html();
        assert!(status == 503 && text.contains("CLERK_SECRET_KEY"), "{status} {text}");
        let (status, code) = browser.accepting(Some(JSON)).visits(PATH).await.problem();
        assert_eq!((status, code.as_str()), (503, "api_not_configured"));
    }

    async fn a_deleted_user_is_refused_without_a_call(engine) {
        let both = Emulated::start_hearing(engine, &[]).await;
        let id = both.sign_up("Ada");
        let token = both.emulator.session_token(&id);
        both.send(&deleted(&id)).await;
        refused(&both, &token, "user_deleted").await;
        assert_eq!(both.emulator.counts().all_requests(), 0);
        assert_eq!(both.column(&id, "deletion_kind").as_deref(), Some("signed"));
    }

    async fn a_banned_user_is_refused_as_soon_as_the_provider_says_so(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let id = both.sign_up("Ada");
        both.send(&both.event_of(&id)).await;
        both.emulator.ban(&id, true);
        let token = both.emulator.session_token(&id);
        refused(&both, &token, "user_banned").await;
        assert_eq!(both.user(&id).await["status"], "banned");
    }

    async fn a_ban_whose_end_was_not_told_is_over_for_whoever_signs_in_again(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let id = both.sign_up("Ada");
        both.emulator.ban(&id, true);
        both.send(&both.event_of(&id)).await;
        both.emulator.ban(&id, false);
        let token = both.emulator.session_token(&id);
        let browser = Visitor::browser(&both, &token);
        // Until the provider can be asked, the table's word counts.
        both.emulator.set_outage(Outage::Unauthorized);
        let (status, code) = browser.accepting(Some(JSON)).visits(PATH).await.problem();
        assert_eq!((status, code.as_str()), (403, "user_banned"));
        both.emulator.set_outage(Outage::None);
        assert_eq!(browser.visits(PATH).await.location(), "/?usersync=1");
        assert_eq!(both.user(&id).await["status"], "active");
    }

    async fn a_user_whom_the_provider_does_not_know_is_refused_and_asked_for_once(engine) {
        let both = Emulated::start_hearing(engine, &[]).await;
        let token = both.emulator.session_token("user_invented");
        refused(&both, &token, "user_unknown").await;
        assert_eq!(both.emulator.counts().requests_of("get"), 1);
        assert_eq!(both.database.count("users"), 0);
    }

    async fn a_provider_that_leaves_a_write_unanswered_holds_the_browser_for_two_seconds(engine) {
        let emulator = emulator();
        let wire = Wire::to(&emulator.credentials().api_url);
        // No worker takes the write-back out of the request's hands.
        let variables = [("CLERK_API_URL", wire.url.as_str()), ("USERSYNC_WORKERS", "off")];
        let database = TestDatabase::new(engine);
        let both = Emulated::start_hearing_on(database, emulator, &variables).await;
        let id = both.sign_up("Ada");
        let token = both.emulator.session_token(&id);
        let started = Instant::now();
        let page = Visitor::browser(&both, &token).asks_for("/x").await;
        assert_eq!(page.location(), "/x?usersync=1");
        assert!(started.elapsed() < HELD_AT_MOST, "{:?}", started.elapsed());
        assert_eq!(both.user(&id).await["email"], "ada@example.org");
        assert_eq!(both.metadata(&id), json!({}));
        // It stays due: somebody tells the provider later.
        assert_eq!(both.database.count("write_backs WHERE state = 'due'"), 1);
    }
}

/// Everybody who comes with the token is refused for this reason: a browser by a page.
async fn refused(both: &Emulated, token: &str, code: &str) {
    let browser = Visitor::browser(both, token);
    for accept in [Some(JSON), None, Some("*/*")] {
        let page = browser.accepting(accept).asks_for("/x").await;
        assert_eq!(page.problem(), (403, code.to_owned()), "{accept:?}");
    }
    let page = browser.accepting(Some(HTML)).asks_for("/x").await;
    let (status, text) = page.html();
    assert_eq!((status, page.goes_on()), (403, None));
    assert!(text.contains("user"), "{text}");
}
