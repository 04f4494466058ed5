//! A browser that follows every redirect comes to an end, whatever the application does.

use super::{PATH, Page, Visitor, proven, signed_in};
use crate::support::TestApp;
use url::Url;

/// How many redirects browsers follow at least, before they give up.
const MOST_REDIRECTS: usize = 10;

/// Follows every redirect as a browser does, of an application each page of which sends to this
/// route, and whose sign-in page sends on at once. Returns the page where it ends, and how often
/// the route was asked.
async fn follow(visitor: Visitor<'_>, first: &str) -> (Page, usize) {
    let mut path = back(first);
    for asked in 1..=MOST_REDIRECTS {
        let page = visitor.visits(&path).await;
        if page.status != 303 {
            return (page, asked);
        }
        let location = page.location();
        let next = Url::parse("http://app.invalid").unwrap().join(location).unwrap();
        let signed_in = next.query_pairs().find(|(name, _)| name == "redirect_url");
        path = back(&signed_in.map_or_else(|| location.to_owned(), |(_, url)| url.into_owned()));
    }
    panic!("the browser goes round between {first} and the route");
}

/// Where the application sends a browser that comes to a page of it.
fn back(page: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("redirect_url", page);
    format!("{PATH}?{}", query.finish())
}

both_engines! {
    async fn an_application_that_always_sends_back_here_ends_in_a_page_that_waits(engine) {
        let (app, calls, _, token) = proven(engine, &[]).await;
        for first in ["/", "/dashboard", "/a?b=c&usersync=0", "/a#usersync=1"] {
            let (page, asked) = follow(Visitor::browser(&app, &token), first).await;
            assert!(asked <= 2, "{asked} requests for {first}");
            assert_eq!(page.html().0, 200);
            let (seconds, _) = page.goes_on().expect("a page that goes on");
            assert!((1..=60).contains(&seconds), "{seconds}");
        }
        app.quiet().await;
        assert_eq!(calls.made(&app), (1, 1));
    }

    async fn the_page_that_waits_goes_on_to_where_was_asked_for_and_nothing_breaks_out_of_it(engine) {
        let (app, _, token) = signed_in(engine, &[]).await;
        let asked = "/a?q='\"><script>alert(1)</script>&usersync=1#'\"><script>";
        let page = Visitor::browser(&app, &token).asks_for(asked).await;
        let (status, text) = page.html();
        assert_eq!(status, 200);
        let (_, location) = page.goes_on().expect("a page that goes on");
        assert!(location.starts_with("/a?q=") && location.contains("&amp;usersync=1#"), "{location}");
        assert!(text.contains(&format!("<a href=\"{location}\">")), "{text}");
        assert!(!text.contains("<script") && !text.contains("'\""), "{text}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'"), "{policy}");
    }

    async fn the_page_waits_until_the_token_is_over(engine) {
        let (app, _, token) = signed_in(engine, &[]).await;
        let page = Visitor::browser(&app, &token).asks_for("/a?usersync=1").await;
        let (seconds, location) = page.goes_on().expect("a page that goes on");
        // The token was made a moment ago, and lives a minute.
        assert!((30..=60).contains(&seconds), "{seconds}");
        assert_eq!(location, "/a?usersync=1");
    }

    async fn a_visitor_whose_session_never_arrives_is_asked_to_sign_in_once(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        let expired = "not-a-token";
        for visitor in [Visitor::stranger(&app), Visitor::browser(&app, expired)] {
            let (page, asked) = follow(visitor, "/dashboard").await;
            assert_eq!((page.html().0, asked), (401, 2));
            assert_eq!(page.goes_on(), None);
        }
        assert_eq!(app.emulator.counts().all_requests(), 0);
    }

    async fn an_application_that_drops_the_mark_ends_in_a_page_that_waits_too(engine) {
        let (app, _, token) = signed_in(engine, &[]).await;
        let browser = Visitor::browser(&app, &token);
        let first = browser.asks_for("/dashboard").await;
        assert_eq!(first.location(), "/dashboard?usersync=1");
        let cookie = first.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("Path=/api/clerk/syncUsers;"), "{cookie}");
        let second = browser.keeping(&first).asks_for("/dashboard").await;
        assert_eq!(second.html().0, 200);
        assert_eq!(second.goes_on().unwrap().1, "/dashboard?usersync=1");
    }

    async fn a_sign_in_page_that_sends_straight_back_is_gone_to_once(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        let stranger = Visitor::stranger(&app);
        let first = stranger.asks_for("/dashboard").await;
        assert!(first.location().starts_with("/sign-in?"));
        let second = stranger.keeping(&first).asks_for("/dashboard").await;
        let (status, text) = second.html();
        assert_eq!(status, 401);
        assert!(text.contains("<a href=\"/sign-in?redirect_url="), "{text}");
        // A visitor who has signed in meanwhile goes on at once.
        let id = app.sign_up("Ada");
        let token = app.emulator.session_token(&id);
        let third = Visitor::browser(&app, &token).keeping(&first).asks_for("/dashboard").await;
        assert_eq!(third.location(), "/dashboard?usersync=1");
    }
}
