//! Valid sessions of users who are refused.

use super::{assert_refused, with_row, without_row, without_write_back};
use crate::support::{TestApp, until, user_id};
use clerk_emulator::Outage;
use futures_util::future::join_all;
use serde_json::json;

/// Locks a user, as the provider does after too many wrong passwords.
async fn lock(app: &TestApp, id: &str) {
    let credentials = app.emulator.credentials();
    let url = format!("{}/v1/users/{id}/lock", credentials.api_url);
    let request = app.http.post(url).bearer_auth(&credentials.secret_key);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

both_engines! {
    async fn a_deleted_user_is_refused_without_a_call((app, id, token) = with_row) {
        assert_eq!(app.get_as(&token, "/v1/me").await.status, 200);
        assert!(app.emulator.delete_user(&id));
        app.emulator.wait_until_idle().await;
        let late = app.emulator.session_token(&id);
        for token in [&token, &late, &token] {
            assert_refused(&app.get_as(token, "/v1/me").await, "user_deleted");
        }
        assert_eq!(app.looks(), 0);
        assert_eq!(app.user(&id).await["status"], "deleted");
    }

    async fn a_deletion_that_came_before_any_row_is_refused_too((app, id, token) = without_row) {
        assert!(app.emulator.delete_user(&id));
        app.emulator.wait_until_idle().await;
        assert_refused(&app.get_as(&token, "/v1/me").await, "user_deleted");
        assert_eq!(app.looks(), 0);
    }

    async fn trap_19_a_ban_is_seen_by_the_next_request_under_a_known_token((app, id, token) = with_row) {
        assert_eq!(app.get_as(&token, "/v1/me").await.status, 200);
        app.emulator.ban(&id, true);
        app.emulator.wait_until_idle().await;
        assert_refused(&app.get_as(&token, "/v1/me").await, "user_banned");
        app.emulator.ban(&id, false);
        app.emulator.wait_until_idle().await;
        assert_eq!(app.get_as(&token, "/v1/me").await.status, 200);
        assert_eq!(app.looks(), 0);
    }

    async fn trap_19_a_banned_user_whose_row_is_missing_gets_the_row_and_no_entrance((app, id, token) = without_row) {
        app.emulator.deliver_to(None);
        app.emulator.ban(&id, true);
        assert_refused(&app.get_as(&token, "/v1/me").await, "user_banned");
        assert_eq!(app.user(&id).await["status"], "banned");
        assert_refused(&app.get_as(&token, "/v1/me").await, "user_banned");
        assert_eq!(app.looks(), 1);
    }

    async fn trap_19_a_deprovisioned_user_is_refused_as_a_banned_one((app, id, token) = with_row) {
        app.emulator.update_user(&id, json!({"deprovisioned": true}));
        app.emulator.wait_until_idle().await;
        assert_refused(&app.get_as(&token, "/v1/me").await, "user_banned");
    }

    async fn trap_19_a_locked_user_may_not_sign_in_but_is_in((app, id, token) = with_row) {
        lock(&app, &id).await;
        app.emulator.wait_until_idle().await;
        assert_eq!(app.user(&id).await["status"], "locked");
        assert_eq!(app.get_as(&token, "/v1/me").await.status, 200);
    }

    async fn whom_the_provider_does_not_know_is_refused_and_not_asked_for_again(app = without_write_back) {
        let token = app.emulator.session_token(&user_id(1));
        assert_refused(&app.get_as(&token, "/v1/me").await, "user_unknown");
        assert_eq!(app.looks(), 1);
        for token in [&token, &app.emulator.session_token(&user_id(1))] {
            assert_refused(&app.get_as(token, "/v1/me").await, "user_unknown");
        }
        assert_eq!(app.looks(), 1);
        assert_refused(&app.me(&user_id(2)).await, "user_unknown");
        assert_eq!(app.looks(), 2, "another user is another question");
        assert_eq!(app.database.count("users"), 0);
    }

    async fn a_row_that_comes_meanwhile_is_answered_at_once(app = without_write_back) {
        let token = app.emulator.session_token(&user_id(1));
        assert_refused(&app.get_as(&token, "/v1/me").await, "user_unknown");
        assert_eq!(app.deliver(&user_id(1)).await.outcome(), "applied");
        let answer = app.get_as(&token, "/v1/me").await;
        assert_eq!((answer.status.as_u16(), &answer.body["created"]), (200, &json!(false)));
        assert_eq!(app.looks(), 1);
    }

    async fn who_was_unknown_is_asked_for_again_after_a_while((app, _, token) = without_row) {
        app.emulator.set_outage(Outage::NotFound);
        assert_refused(&app.get_as(&token, "/v1/me").await, "user_unknown");
        app.emulator.set_outage(Outage::None);
        assert_refused(&app.get_as(&token, "/v1/me").await, "user_unknown");
        let answer = until("the user is asked for again", async || {
            let answer = app.get_as(&token, "/v1/me").await;
            (answer.status != 403).then_some(answer)
        })
        .await;
        assert_eq!((answer.status.as_u16(), &answer.body["created"]), (200, &json!(true)));
        assert_eq!(app.looks(), 2);
    }

    async fn two_hundred_requests_of_an_unknown_user_cost_one_call(engine) {
        const ROUNDS: usize = 30;
        let app = without_write_back(engine).await;
        for number in 0..ROUNDS {
            let token = app.emulator.session_token(&user_id(number));
            for answer in join_all((0..200).map(|_| app.get_as(&token, "/v1/me"))).await {
                assert_refused(&answer, "user_unknown");
            }
        }
        assert_eq!(app.looks(), 30);
    }
}
