//! `GET /v1/users` and `GET /v1/users/{id}`: who may ask, what is found, and how pages follow
//! each other.

use crate::support::{
    ADMIN_TOKEN, Answer, Engine, READ_TOKEN, TestApp, deleted, user, user_id, user_with,
};
use serde_json::Value;

const UNKNOWN_TOKEN: &str = "unknown-token-of-nobody-0123456789ab";

async fn list(app: &TestApp, query: &str) -> Answer {
    app.get_as(READ_TOKEN, &format!("/v1/users{query}")).await
}

async fn found(app: &TestApp, query: &str) -> Vec<String> {
    let answer = list(app, query).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    ids(&answer, "external_id")
}

fn ids(page: &Answer, field: &str) -> Vec<String> {
    let users = page.body["data"].as_array().unwrap().iter();
    users.map(|user| user[field].as_str().unwrap().to_owned()).collect()
}

async fn assert_refused(app: &TestApp, query: &str, code: &str) {
    let answer = list(app, query).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{query}");
}

async fn with_users(engine: Engine, count: usize) -> TestApp {
    let app = TestApp::start(engine).await;
    for number in 0..count {
        assert_eq!(app.send(&user(&user_id(number), 1_000)).await.status, 200);
    }
    app
}

async fn our_id(app: &TestApp, external_id: &str) -> String {
    app.user(external_id).await["id"].as_str().unwrap().to_owned()
}

fn with_metadata(number: usize, metadata: Value) -> Value {
    user_with(&user_id(number), 1_000, "public_metadata", metadata)
}

both_engines! {
    async fn only_a_known_token_opens_either_route(engine) {
        let app = with_users(engine, 1).await;
        for path in ["/v1/users".to_owned(), format!("/v1/users/{}", user_id(0))] {
            let bare = app.get(&path).await;
            bare.assert_problem(401, "unauthorized");
            assert_eq!(bare.headers["www-authenticate"], "Bearer");
            for wrong in [UNKNOWN_TOKEN, "", READ_TOKEN.trim_end_matches('0')] {
                assert_eq!(app.get_as(wrong, &path).await.status, 401, "{wrong:?}");
            }
            assert_eq!(app.get_as(READ_TOKEN, &path).await.status, 200);
            assert_eq!(app.get_as(ADMIN_TOKEN, &path).await.status, 200);
        }
    }

    async fn without_configured_tokens_the_routes_are_closed(engine) {
        let closed = [("USERSYNC_ADMIN_TOKEN", ""), ("USERSYNC_READ_TOKEN", "")];
        let app = TestApp::builder(engine).variables(&closed).start().await;
        for token in [ADMIN_TOKEN, READ_TOKEN, ""] {
            assert_eq!(app.get_as(token, "/v1/users").await.status, 401);
        }
    }

    async fn any_of_several_tokens_opens_with_a_name_or_without(engine) {
        let tokens = format!("{UNKNOWN_TOKEN}, shop:{READ_TOKEN}");
        let app = TestApp::builder(engine).variables(&[("USERSYNC_READ_TOKEN", &tokens)]).start().await;
        assert_eq!(app.get_as(UNKNOWN_TOKEN, "/v1/users").await.status, 200);
        assert_eq!(app.get_as(READ_TOKEN, "/v1/users").await.status, 200);
        assert_eq!(app.get_as(&format!("shop:{READ_TOKEN}"), "/v1/users").await.status, 401);
    }

    async fn a_user_is_found_by_our_id_and_by_the_providers(app = TestApp::start) {
        let answer = app.send(&user(&user_id(1), 1_000)).await;
        let by_theirs = app.user(&user_id(1)).await;
        assert_eq!(by_theirs["id"], answer.body["user_id"]);
        let by_ours = app.user(by_theirs["id"].as_str().unwrap()).await;
        assert_eq!(by_ours, by_theirs);
    }

    async fn our_id_is_looked_up_before_the_providers(engine) {
        let app = with_users(engine, 1).await;
        let ours = our_id(&app, &user_id(0)).await;
        // A user of the provider whose id there reads like ours of another one.
        assert_eq!(app.send(&user(&ours, 1_000)).await.outcome(), "applied");
        assert_eq!(app.user(&ours).await["external_id"], user_id(0).as_str());
    }

    async fn an_unknown_user_is_a_404(app = TestApp::start) {
        for id in ["user_nobody", "0", "%20", "a%2Fb"] {
            let answer = app.get_as(READ_TOKEN, &format!("/v1/users/{id}")).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (404, "user_not_found"), "{id}");
        }
    }

    async fn text_that_no_database_holds_finds_no_user(engine) {
        let app = with_users(engine, 1).await;
        assert_eq!(app.get_as(READ_TOKEN, "/v1/users/a%00b").await.status, 404);
        for query in ["?role=a%00b", "?plan=a%00b", "?email=a%00b"] {
            let answer = list(&app, query).await;
            assert!(answer.status.as_u16() == 200 || answer.status.as_u16() == 400, "{query}: {answer:?}");
        }
    }

    async fn pages_follow_each_other_in_the_order_of_ids(engine) {
        let app = with_users(engine, 25).await;
        let (mut seen, mut sizes, mut query) = (Vec::new(), Vec::new(), "?limit=10".to_owned());
        loop {
            let page = list(&app, &query).await;
            sizes.push(ids(&page, "id").len());
            seen.extend(ids(&page, "id"));
            let Some(cursor) = page.body["next_cursor"].as_str() else { break };
            query = format!("?limit=10&cursor={cursor}");
        }
        assert_eq!(sizes, [10, 10, 5]);
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    }

    async fn a_full_last_page_has_no_next_one(engine) {
        let app = with_users(engine, 2).await;
        let page = list(&app, "?limit=2").await;
        assert_eq!((ids(&page, "id").len(), &page.body["next_cursor"]), (2, &Value::Null));
        assert!(list(&app, "?limit=1").await.body["next_cursor"].is_string());
    }

    async fn an_empty_table_is_an_empty_page(app = TestApp::start) {
        let page = list(&app, "").await;
        insta::allow_duplicates!(insta::assert_compact_json_snapshot!(page.body, @r#"{"data": [], "next_cursor": null}"#));
        assert_eq!(page.headers["cache-control"], "no-store");
    }

    async fn what_cannot_be_asked_for_is_refused(app = TestApp::start) {
        for limit in ["0", "501", "x", "-1", "1.5", ""] {
            assert_refused(&app, &format!("?limit={limit}"), "invalid_limit").await;
        }
        assert_refused(&app, "?cursor=%21%21", "invalid_cursor").await;
        assert_refused(&app, "?cursor=_w", "invalid_cursor").await;
        assert_refused(&app, "?status=gone", "invalid_status").await;
        assert_refused(&app, "?offset=3", "unknown_parameter").await;
        assert_refused(&app, "?limit=1&name=Ada", "unknown_parameter").await;
        assert_eq!(list(&app, "?limit=500").await.status, 200);
    }

    async fn filters_narrow_the_list_and_add_up(engine) {
        let app = with_users(engine, 1).await;
        app.send(&with_metadata(1, serde_json::json!({"role": "admin"}))).await;
        app.send(&with_metadata(2, serde_json::json!({"role": "admin", "plan": "pro"}))).await;
        app.send(&user_with(&user_id(3), 1_000, "banned", true)).await;
        assert_eq!(found(&app, "?role=admin").await, [user_id(1), user_id(2)]);
        assert_eq!(found(&app, "?plan=pro").await, [user_id(2)]);
        assert_eq!(found(&app, "?role=admin&plan=free").await, [user_id(1)]);
        assert_eq!(found(&app, "?status=banned").await, [user_id(3)]);
        assert_eq!(found(&app, "?status=active&role=user").await, [user_id(0)]);
        assert!(found(&app, "?status=locked").await.is_empty());
    }

    async fn an_address_is_found_however_it_is_capitalised(engine) {
        let app = with_users(engine, 1).await;
        let mut event = user(&user_id(1), 1_000);
        event["data"]["email_addresses"][0]["email_address"] = "Grace.HOPPER@Example.org".into();
        app.send(&event).await;
        for address in ["grace.hopper@example.org", "GRACE.hopper%40EXAMPLE.ORG"] {
            assert_eq!(found(&app, &format!("?email={address}")).await, [user_id(1)]);
        }
        assert!(found(&app, "?email=hopper").await.is_empty());
    }

    async fn deleted_users_are_listed_only_when_asked_for(engine) {
        let app = with_users(engine, 2).await;
        app.send(&deleted(&user_id(0))).await;
        assert_eq!(found(&app, "").await, [user_id(1)]);
        assert_eq!(found(&app, "?status=deleted").await, [user_id(0)]);
    }

    async fn rows_can_be_named_by_the_providers_id(engine) {
        let app = TestApp::builder(engine).variables(&[("USERSYNC_USER_ID", "external")]).start().await;
        let answer = app.send(&user(&user_id(1), 1_000)).await;
        assert_eq!(answer.body["user_id"], user_id(1).as_str());
        assert_eq!(app.user(&user_id(1)).await["id"], user_id(1).as_str());
    }

    async fn ids_of_our_own_are_ordered_by_their_making(engine) {
        let app = with_users(engine, 3).await;
        assert_eq!(found(&app, "").await, [user_id(0), user_id(1), user_id(2)]);
        let id: uuid::Uuid = our_id(&app, &user_id(0)).await.parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
    }
}
