//! Which overrides are accepted, from whom, and how everything else is answered.

use super::words;
use crate::support::{
    ADMIN_TOKEN, READ_TOKEN, SECRET, TestApp, TestDatabase, USER_FIELDS, deleted, user, user_id,
};
use serde_json::{Value, json};

async fn start(engine: crate::support::Engine) -> TestApp {
    let app = TestApp::start(engine).await;
    assert_eq!(app.send(&user(&user_id(1), 1_000)).await.outcome(), "applied");
    app
}

both_engines! {
    async fn a_word_is_chosen_and_null_drops_it_under_either_id(app = start) {
        let id = user_id(1);
        let ours = app.user(&id).await["id"].as_str().unwrap().to_owned();
        let answer = app.choose(&id, json!({"role": "admin"})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.body, app.user(&id).await, "the answer is the user as of then");
        assert_eq!(app.words(&id).await, words("admin", "free"));
        assert_eq!(app.choose(&ours, json!({"plan": "pro"})).await.status, 200);
        assert_eq!(app.words(&id).await, words("admin", "pro"), "the role stays as it is");
        assert_eq!(app.choose(&ours, json!({"role": null})).await.status, 200);
        assert_eq!(app.words(&id).await, words("user", "pro"));
        let answer = app.choose(&id, json!({"plan": null, "role": "admin"})).await;
        assert_eq!((&answer.body["role"], &answer.body["plan"]), (&json!("admin"), &json!("free")));
    }

    async fn the_fields_of_the_provider_are_the_providers(app = start) {
        let before = app.user(&user_id(1)).await;
        for name in USER_FIELDS.iter().filter(|name| !["role", "plan"].contains(name)) {
            for body in [json!({*name: "x"}), json!({*name: null}), json!({"role": "admin", *name: "x"})] {
                let answer = app.choose(&user_id(1), body).await;
                assert_eq!((answer.status.as_u16(), answer.code()), (422, "provider_owned"), "{name}");
                assert!(answer.body["detail"].as_str().unwrap().contains(name), "{answer:?}");
            }
        }
        assert_eq!(app.user(&user_id(1)).await, before);
    }

    async fn unknown_words_fields_and_types_are_refused(app = start) {
        let before = app.user(&user_id(1)).await;
        let words = [
            json!("wizard"), json!("Admin"), json!(" admin"), json!(""), json!("a\0b"), json!(1), json!(true),
            json!(["admin"]), json!({"role": "admin"}), json!("x".repeat(65)),
        ];
        for word in words {
            let answer = app.choose(&user_id(1), json!({"role": word})).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (422, "unknown_word"), "{word}");
        }
        for word in [json!("drop table"), json!("x".repeat(65)), json!(""), json!(1), json!("ü")] {
            let answer = app.choose(&user_id(1), json!({"role": "admin", "plan": word})).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (422, "unknown_word"), "{word}");
        }
        for body in [json!({}), json!({"Role": "admin"}), json!({"role": "admin", "colour": "red"})] {
            let answer = app.choose(&user_id(1), &body).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (422, "unknown_field"), "{body}");
        }
        assert_eq!(app.user(&user_id(1)).await, before);
    }

    async fn known_plans_are_those_that_are_configured(engine) {
        let app = TestApp::builder(engine).variables(&[("USERSYNC_PLANS", "free,pro")]).start().await;
        app.send(&user(&user_id(1), 1_000)).await;
        assert_eq!(app.choose(&user_id(1), json!({"plan": "gold"})).await.code(), "unknown_word");
        assert_eq!(app.choose(&user_id(1), json!({"plan": "pro"})).await.body["plan"], "pro");
    }

    async fn what_is_no_object_is_a_bad_request(app = start) {
        for body in ["", "x", "[]", "null", "\"role\"", "1", "{\"role\":", "{\"role\":\"admin\"}x", "[{\"role\":\"admin\"}]"] {
            let answer = app.choose(&user_id(1), body).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_body"), "{body}");
        }
        let deep = format!("{{\"role\":{}", "[".repeat(60_000));
        assert_eq!(app.choose(&user_id(1), deep).await.status, 400);
    }

    async fn a_large_body_is_not_read(app = start) {
        let padded = |bytes: usize| format!("{}{}", json!({"role": "admin"}), " ".repeat(bytes));
        app.choose(&user_id(1), padded(64 * 1024)).await.assert_problem(413, "body_too_large");
        assert_eq!(app.words(&user_id(1)).await, words("user", "free"));
        assert_eq!(app.choose(&user_id(1), padded(60 * 1024)).await.status, 200);
    }

    async fn an_unknown_user_is_a_404_and_a_deleted_user_a_409(app = start) {
        for id in ["user_nobody", "0", "%20", "a%00b", "a%2Fb", "%ff", "..%2Fme"] {
            let answer = app.choose(id, json!({"role": "admin"})).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (404, "user_not_found"), "{id}");
        }
        app.database.execute("UPDATE users SET status = 'deleted', deletion_kind = 'absent'");
        let answer = app.choose(&user_id(1), json!({"role": "admin"})).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (409, "user_deleted"), "only absent");
        app.send(&deleted(&user_id(1))).await;
        for body in [json!({"role": "admin"}), json!({"plan": null})] {
            app.choose(&user_id(1), body).await.assert_problem(409, "user_deleted");
        }
        assert_eq!(app.chosen(), [None, None]);
        assert_eq!(app.database.count("write_backs"), 0);
    }

    async fn only_an_admin_chooses(app = start) {
        let body = || json!({"role": "admin"}).to_string();
        app.patch(READ_TOKEN, &user_id(1), body()).await.assert_problem(403, "forbidden");
        for token in ["", "wrong-token-of-nobody-0123456789abcdef", "a.b.c"] {
            app.patch(token, &user_id(1), body()).await.assert_problem(401, "unauthorized");
        }
        assert_eq!(app.words(&user_id(1)).await, words("user", "free"));
    }

    async fn the_log_says_who_chose_what_for_whom_and_holds_no_secret(engine) {
        let database = TestDatabase::new(engine);
        let token = format!("ops:{ADMIN_TOKEN}");
        let builder = TestApp::builder(&database).variables(&[("USERSYNC_ADMIN_TOKEN", &token)]);
        let mut service = builder.start_process().await;
        let ours = service.send(&user(&user_id(1), 1_000)).await.body["user_id"].clone();
        // No key of the provider is needed.
        service.set_override(&user_id(1), json!({"role": "admin"})).await;
        let line: Value = serde_json::from_str(&service.logged("an operator set an override").await).unwrap();
        assert_eq!((&line["token"], &line["user.id"]), (&json!("ops"), &ours), "{line}");
        assert!(line["role"].as_str().unwrap().contains("admin"), "{line}");
        let log = service.stop().await;
        for secret in [ADMIN_TOKEN, SECRET, "Ada", "example.org"] {
            assert!(!log.contains(secret), "{secret} is logged:\n{log}");
        }
    }
}
