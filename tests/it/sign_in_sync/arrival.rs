//! What stands when the browser goes on, and what it costs.

use super::{JSON, PATH, Visitor, proven, signed_in};
use crate::support::{TestApp, until_true};
use reqwest::Method;
use serde_json::json;

/// Workers of other replicas would do the same a little later: here the request does it.
const NO_WORKERS: (&str, &str) = ("USERSYNC_WORKERS", "off");

both_engines! {
    async fn a_browser_goes_on_once_its_row_is_there_and_the_provider_knows_id_and_role(engine) {
        let (app, calls, id, token) = proven(engine, &[NO_WORKERS]).await;
        let page = Visitor::browser(&app, &token).asks_for("/dashboard?tab=1").await;
        assert_eq!(page.location(), "/dashboard?tab=1&usersync=1");
        let row = app.user(&id).await;
        assert_eq!((&row["email"], &row["status"]), (&json!("ada@example.org"), &json!("active")));
        assert_eq!(app.metadata(&id), json!({"dbId": row["id"], "role": "user"}));
        assert_eq!(row["public_metadata"], app.metadata(&id));
        assert_eq!(calls.made(&app), (1, 1));
    }

    async fn a_worker_that_is_faster_is_waited_for(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        for number in 0..20 {
            let id = app.sign_up(&format!("User{number}"));
            let token = app.emulator.session_token(&id);
            Visitor::browser(&app, &token).visits(PATH).await.location();
            assert_eq!(app.metadata(&id)["dbId"], app.user(&id).await["id"]);
        }
        app.quiet().await;
        assert_eq!(app.emulator.counts().requests_of("metadata_patch"), 20);
    }

    async fn a_row_that_an_event_made_is_brought_in_step_too(engine) {
        let (app, id, token) = signed_in(engine, &[NO_WORKERS]).await;
        app.send(&app.event_of(&id)).await;
        app.emulator.update_user(&id, json!({"first_name": "Grace"}));
        Visitor::browser(&app, &token).visits(PATH).await.location();
        let row = app.user(&id).await;
        assert_eq!(row["first_name"], "Grace");
        assert_eq!(app.metadata(&id), json!({"dbId": row["id"], "role": "user"}));
    }

    async fn a_program_learns_once_that_it_made_the_row(engine) {
        let (app, calls, id, token) = proven(engine, &[NO_WORKERS]).await;
        let program = Visitor::browser(&app, &token).accepting(Some(JSON));
        for created in [true, false, false] {
            let page = program.visits(PATH).await;
            assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
            let me = page.json();
            assert_eq!((&me["created"], &me["external_id"]), (&json!(created), &json!(id)), "{me}");
            assert_eq!(me["user"]["id"], app.user(&id).await["id"]);
        }
        assert_eq!(calls.made(&app), (1, 1));
    }

    async fn a_user_fetched_within_a_minute_costs_no_call_and_an_older_one_does(engine) {
        let (app, calls, id, token) = proven(engine, &[NO_WORKERS]).await;
        let browser = Visitor::browser(&app, &token);
        browser.visits(PATH).await.location();
        assert_eq!(calls.made(&app), (1, 1));
        app.emulator.update_user(&id, json!({"first_name": "Grace"}));
        browser.visits(PATH).await.location();
        assert_eq!(calls.made(&app), (1, 1));
        assert_eq!(app.user(&id).await["first_name"], "Ada");
        app.database.execute("UPDATE users SET last_fetched_at = '2020-01-01T00:00:00.000Z'");
        until_true("the user is fetched again", async || {
            browser.visits(PATH).await.location();
            app.user(&id).await["first_name"] == "Grace"
        })
        .await;
        assert_eq!(calls.made(&app), (2, 1));
    }

    async fn many_tabs_at_once_make_one_row_by_one_call(engine) {
        let (app, calls, _, token) = proven(engine, &[NO_WORKERS]).await;
        let tab = Visitor::browser(&app, &token).accepting(Some(JSON));
        let (one, two, three, four) =
            tokio::join!(tab.visits(PATH), tab.visits(PATH), tab.visits(PATH), tab.visits(PATH));
        let pages = [one, two, three, four];
        let created = pages.iter().filter(|page| page.json()["created"] == true).count();
        assert_eq!((created, app.database.count("users")), (1, 2));
        assert_eq!(calls.made(&app), (1, 1));
    }

    async fn head_is_answered_like_get_and_nothing_else_is_taken(engine) {
        let (app, _, token) = signed_in(engine, &[]).await;
        let browser = Visitor::browser(&app, &token);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(browser.sends(method, PATH).await.status, 405);
        }
        assert_eq!(app.database.count("users"), 0);
        let page = browser.sends(Method::HEAD, PATH).await;
        assert_eq!((page.location(), page.text.as_str()), ("/?usersync=1", ""));
        assert_eq!(app.database.count("users"), 1);
    }
}
