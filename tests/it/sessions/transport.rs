//! How a session token is sent: in `Authorization`, or in a cookie where nothing is changed.

use super::{COOKIE_SUFFIX, by_pem};
use crate::support::{Answer, PARTY, TestApp, user_id};
use reqwest::Method;
use serde_json::Value;

async fn ask(app: &TestApp, method: Method, path: &str, headers: &[(&str, String)]) -> Answer {
    let mut request = app.http.request(method, format!("{}{path}", app.origin));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    Answer::of(request.send().await.unwrap()).await
}

async fn me(app: &TestApp, cookies: &str) -> Answer {
    ask(app, Method::GET, "/v1/me", &[("cookie", cookies.to_owned())]).await
}

both_engines! {
    async fn either_cookie_is_taken_on_get_and_head(engine) {
        let (app, tokens) = by_pem(engine, PARTY).await;
        let token = tokens.good();
        for name in ["__session".to_owned(), format!("__session_{COOKIE_SUFFIX}")] {
            let cookie = format!("theme=dark; {name}={token}; x=y");
            let shown = me(&app, &cookie).await;
            assert_eq!(shown.status, 200, "{shown:?}");
            assert_eq!(shown.body["external_id"], user_id(1).as_str());
            let head = ask(&app, Method::HEAD, "/v1/me", &[("cookie", cookie)]).await;
            assert_eq!((head.status.as_u16(), &head.body), (200, &Value::Null));
            assert_eq!(head.headers["cache-control"], "no-store");
        }
    }

    async fn this_instances_cookie_goes_before_the_shared_one_and_the_header_before_both(engine) {
        let (app, tokens) = by_pem(engine, PARTY).await;
        let (good, bad) = (tokens.good(), tokens.with("sts", "pending"));
        let own_name = format!("__session_{COOKIE_SUFFIX}");
        assert_eq!(me(&app, &format!("__session={bad}; {own_name}={good}")).await.status, 200);
        let refused = me(&app, &format!("__session={good}; {own_name}={bad}")).await;
        assert_eq!(refused.code(), "session_pending");
        let both = |header: &str, cookie: &str| {
            [("authorization", format!("Bearer {header}")), ("cookie", format!("__session={cookie}"))]
        };
        assert_eq!(ask(&app, Method::GET, "/v1/me", &both(&good, &bad)).await.status, 200);
        let refused = ask(&app, Method::GET, "/v1/me", &both(&bad, &good)).await;
        assert_eq!(refused.code(), "session_pending");
    }

    async fn cookies_of_other_names_are_passed_over(engine) {
        let (app, tokens) = by_pem(engine, PARTY).await;
        let token = tokens.good();
        for name in ["__session_QvfNY2dr", "__SESSION", "session", "__clerk_db_jwt", "__client_uat"] {
            let answer = me(&app, &format!("{name}={token}")).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "session_missing"), "{name}");
        }
        for broken in ["__session=", "__session", "=", ";;;", "__session=a.b.c"] {
            assert_eq!(me(&app, broken).await.status, 401, "{broken}");
        }
    }

    async fn a_cookie_never_changes_anything(engine) {
        let (app, tokens) = by_pem(engine, PARTY).await;
        let cookie = format!("__session={}", tokens.good());
        let user = format!("/v1/users/{}", user_id(1));
        let before = app.user(&user_id(1)).await;
        for (method, path) in [
            (Method::PATCH, user.as_str()),
            (Method::POST, "/v1/reconcile"),
            (Method::GET, "/v1/write-backs"),
            (Method::GET, "/v1/users"),
        ] {
            let answer = ask(&app, method.clone(), path, &[("cookie", cookie.clone())]).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthorized"), "{method} {path}");
        }
        for path in ["/v1/me", "/api/clerk/syncUsers"] {
            for method in [Method::POST, Method::PATCH, Method::PUT, Method::DELETE] {
                let answer = ask(&app, method.clone(), path, &[("cookie", cookie.clone())]).await;
                assert!(answer.status.is_client_error(), "{method} {path}: {answer:?}");
            }
        }
        assert_eq!(app.user(&user_id(1)).await, before);
    }
}
