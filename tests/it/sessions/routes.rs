//! No route answers without credentials, and a read token reads users only.

use super::by_key_set;
use crate::support::{ADMIN_TOKEN, Answer, READ_TOKEN, TestApp, user_id};
use reqwest::Method;

const ADMIN_ROUTES: [(Method, &str); 3] = [
    (Method::POST, "/v1/reconcile"),
    (Method::GET, "/v1/write-backs"),
    (Method::PATCH, "/v1/users/user_1"),
];

const SESSION_ROUTES: [(Method, &str); 2] =
    [(Method::GET, "/v1/me"), (Method::GET, "/api/clerk/syncUsers")];

async fn ask(app: &TestApp, method: &Method, path: &str, token: Option<&str>) -> Answer {
    let mut request = app.http.request(method.clone(), format!("{}{path}", app.origin));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    Answer::of(request.send().await.unwrap()).await
}

both_engines! {
    async fn without_credentials_every_route_is_closed(engine) {
        let (app, _) = by_key_set(engine, "").await;
        for (method, path) in ADMIN_ROUTES {
            for token in [None, Some(""), Some("wrong-token-of-nobody-0123456789abcdef")] {
                let answer = ask(&app, &method, path, token).await;
                assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthorized"), "{method} {path}");
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
        }
        for (method, path) in SESSION_ROUTES {
            let answer = ask(&app, &method, path, None).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "session_missing"), "{method} {path}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        assert_eq!(app.emulator.counts().all_requests(), 0);
    }

    async fn a_read_token_is_forbidden_what_operators_do(engine) {
        let (app, _) = by_key_set(engine, "").await;
        for (method, path) in ADMIN_ROUTES {
            let answer = ask(&app, &method, path, Some(READ_TOKEN)).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (403, "forbidden"), "{method} {path}");
            let answer = ask(&app, &method, path, Some(ADMIN_TOKEN)).await;
            assert!(![401, 403].contains(&answer.status.as_u16()), "{method} {path}: {answer:?}");
        }
        assert_eq!(app.emulator.counts().all_requests(), 0);
    }

    async fn nobody_without_a_token_learns_which_users_there_are(engine) {
        let (app, id) = by_key_set(engine, "").await;
        for token in [None, Some("wrong-token-of-nobody-0123456789abcdef")] {
            for (method, body) in [(Method::GET, ""), (Method::PATCH, "not json")] {
                for user in [id.as_str(), &user_id(9)] {
                    let url = format!("{}/v1/users/{user}", app.origin);
                    let mut request = app.http.request(method.clone(), url).body(body);
                    if let Some(token) = token {
                        request = request.bearer_auth(token);
                    }
                    let answer = Answer::of(request.send().await.unwrap()).await;
                    answer.assert_problem(401, "unauthorized");
                }
            }
        }
    }
}
