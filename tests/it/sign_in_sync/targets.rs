//! Where a browser may be sent, and where never.

use super::{PATH, Visitor, signed_in};
use crate::support::{Engine, TestApp};
use std::collections::BTreeMap;
use url::Url;

const PUBLIC: &str = "https://app.example.com";
const ALLOWED: &str = "https://admin.example.com";

fn tricks() -> Vec<String> {
    serde_json::from_str(include_str!("../../../fixtures/redirects/tricks.json")).unwrap()
}

async fn started(engine: Engine) -> (TestApp, String) {
    let origins = [("USERSYNC_PUBLIC_URL", PUBLIC), ("USERSYNC_REDIRECT_ORIGINS", ALLOWED)];
    let (app, _, token) = signed_in(engine, &origins).await;
    (app, token)
}

/// Where a browser that is on our public origin ends up.
fn landing(location: &str) -> Url {
    Url::parse(&format!("{PUBLIC}{PATH}")).unwrap().join(location).unwrap()
}

both_engines! {
    async fn no_trick_of_an_open_redirect_leaves_our_origin((app, token) = started) {
        let browser = Visitor::browser(&app, &token);
        for trick in tricks() {
            let page = browser.asks_for(&trick).await;
            let location = page.location();
            assert_eq!(location, "/?usersync=1", "{trick:?}");
            assert_eq!(landing(location).origin().ascii_serialization(), PUBLIC, "{trick:?}");
        }
        // Encoded once more than a form does, as it comes out of careless templates.
        for twice in ["%252F%252Fevil.example", "%2F%2Fevil.example", "%5C%5Cevil.example"] {
            let page = browser.visits(&format!("{PATH}?redirect_url={twice}")).await;
            let landing = landing(page.location());
            assert_eq!(landing.origin().ascii_serialization(), PUBLIC, "{twice}");
        }
        let referer = browser.coming_from("https://evil.example/app.example.com");
        assert_eq!(referer.visits(PATH).await.location(), "/?usersync=1");
    }

    async fn no_trick_sends_a_visitor_without_a_session_elsewhere((app, _) = started) {
        for trick in tricks() {
            let page = Visitor::stranger(&app).asks_for(&trick).await;
            assert_eq!(page.location(), "/sign-in?redirect_url=%2F%3Fusersync%3D0", "{trick:?}");
        }
    }

    async fn a_path_of_ours_and_an_allowed_origin_are_gone_to((app, token) = started) {
        let allowed = include_str!("../../../fixtures/redirects/allowed.json");
        let allowed: BTreeMap<String, String> = serde_json::from_str(allowed).unwrap();
        for (asked, expected) in allowed {
            let page = Visitor::browser(&app, &token).asks_for(&asked).await;
            assert_eq!(page.location(), expected, "{asked}");
        }
    }

    async fn the_page_that_the_browser_came_from_is_gone_back_to_where_nothing_is_asked((app, token) = started) {
        let browser = Visitor::browser(&app, &token);
        let notes = browser.coming_from("https://app.example.com/notes?page=2");
        assert_eq!(notes.visits(PATH).await.location(), "/notes?page=2&usersync=1");
        assert_eq!(notes.asks_for("/asked").await.location(), "/asked?usersync=1");
        let admin = browser.coming_from("https://admin.example.com/");
        assert_eq!(admin.visits(PATH).await.location(), "https://admin.example.com/?usersync=1");
        assert_eq!(browser.visits(PATH).await.location(), "/?usersync=1");
    }

    async fn our_origin_is_never_taken_from_the_host_header(engine) {
        let (app, _, token) = signed_in(engine, &[]).await;
        let own_host = format!("{}/notes", app.origin);
        let browser = Visitor::browser(&app, &token);
        assert_eq!(browser.asks_for(&own_host).await.location(), "/?usersync=1");
        assert_eq!(browser.coming_from(&own_host).visits(PATH).await.location(), "/?usersync=1");
    }
}
