//! Valid sessions of users who may not come in.

use super::{assert_refused, without_write_back};
use crate::both_engines;
use crate::support::{Emulated, until, user_id};
use clerk_emulator::Outage;
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

/// Locks a user, as the provider does after too many wrong passwords.
async fn lock(both: &Emulated, id: &str) {
    let credentials = both.emulator.credentials();
    let url = format!("{}/v1/users/{id}/lock", credentials.api_url);
    let request = both.client.post(url).bearer_auth(&credentials.secret_key);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

both_engines! {
    async fn a_deleted_user_is_refused_without_a_call(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        let token = both.emulator.session_token(&id);
        assert_eq!(both.get_as(&token, "/v1/me").await.status, 200);
        assert!(both.emulator.delete_user(&id));
        both.emulator.settled().await;
        let late = both.emulator.session_token(&id);
        for token in [&token, &late, &token] {
            assert_refused(&both.get_as(token, "/v1/me").await, "user_deleted");
        }
        assert_eq!(both.looks(), 0);
        assert_eq!(both.user(&id).await["status"], "deleted");
    }

    async fn a_deletion_that_came_before_any_row_is_refused_too(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_silently("Ada");
        let token = both.emulator.session_token(&id);
        assert!(both.emulator.delete_user(&id));
        both.emulator.settled().await;
        assert_refused(&both.get_as(&token, "/v1/me").await, "user_deleted");
        assert_eq!(both.looks(), 0);
    }

    async fn trap_19_a_ban_is_seen_by_the_next_request_under_a_known_token(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        let token = both.emulator.session_token(&id);
        assert_eq!(both.get_as(&token, "/v1/me").await.status, 200);
        both.emulator.ban(&id, true);
        both.emulator.settled().await;
        assert_refused(&both.get_as(&token, "/v1/me").await, "user_banned");
        both.emulator.ban(&id, false);
        both.emulator.settled().await;
        assert_eq!(both.get_as(&token, "/v1/me").await.status, 200);
        assert_eq!(both.looks(), 0);
    }

    async fn trap_19_a_banned_user_whose_row_is_missing_gets_the_row_and_no_entrance(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_silently("Ada");
        let token = both.emulator.session_token(&id);
        both.emulator.deliver_to(None);
        both.emulator.ban(&id, true);
        assert_refused(&both.get_as(&token, "/v1/me").await, "user_banned");
        assert_eq!(both.user(&id).await["status"], "banned");
        assert_refused(&both.get_as(&token, "/v1/me").await, "user_banned");
        assert_eq!(both.looks(), 1);
    }

    async fn trap_19_a_deprovisioned_user_is_refused_as_a_banned_one(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        let token = both.emulator.session_token(&id);
        both.emulator.update_user(&id, json!({"deprovisioned": true}));
        both.emulator.settled().await;
        assert_refused(&both.get_as(&token, "/v1/me").await, "user_banned");
    }

    async fn trap_19_a_locked_user_may_not_sign_in_but_is_in(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        let token = both.emulator.session_token(&id);
        lock(&both, &id).await;
        both.emulator.settled().await;
        assert_eq!(both.user(&id).await["status"], "locked");
        assert_eq!(both.get_as(&token, "/v1/me").await.status, 200);
    }

    async fn whom_the_provider_does_not_know_is_refused_and_not_asked_for_again(engine) {
        let both = without_write_back(engine).await;
        let token = both.emulator.session_token(&user_id(1));
        assert_refused(&both.get_as(&token, "/v1/me").await, "user_unknown");
        assert_eq!(both.looks(), 1);
        for token in [&token, &both.emulator.session_token(&user_id(1))] {
            assert_refused(&both.get_as(token, "/v1/me").await, "user_unknown");
        }
        assert_eq!(both.looks(), 1);
        assert_refused(&both.me(&user_id(2)).await, "user_unknown");
        assert_eq!(both.looks(), 2, "another user is another question");
        assert_eq!(both.database.count("users"), 0);
    }

    async fn a_row_that_comes_meanwhile_is_answered_at_once(engine) {
        let both = without_write_back(engine).await;
        let token = both.emulator.session_token(&user_id(1));
        assert_refused(&both.get_as(&token, "/v1/me").await, "user_unknown");
        assert_eq!(both.deliver(&user_id(1)).await.outcome(), "applied");
        let answer = both.get_as(&token, "/v1/me").await;
        assert_eq!((answer.status.as_u16(), &answer.body["created"]), (200, &json!(false)));
        assert_eq!(both.looks(), 1);
    }

    async fn who_was_unknown_is_asked_for_again_after_a_while(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_silently("Ada");
        let token = both.emulator.session_token(&id);
        both.emulator.set_outage(Outage::NotFound);
        assert_refused(&both.get_as(&token, "/v1/me").await, "user_unknown");
        both.emulator.set_outage(Outage::None);
        assert_refused(&both.get_as(&token, "/v1/me").await, "user_unknown");
        let answer = until("the user is asked for again", Duration::from_secs(30), async || {
            let answer = both.get_as(&token, "/v1/me").await;
            (answer.status != 403).then_some(answer)
        })
        .await;
        assert_eq!((answer.status.as_u16(), &answer.body["created"]), (200, &json!(true)));
        assert_eq!(both.looks(), 2);
    }

    async fn two_hundred_requests_of_an_unknown_user_cost_one_call(engine) {
        const ROUNDS: usize = 30;
        let both = without_write_back(engine).await;
        for number in 0..ROUNDS {
            let token = both.emulator.session_token(&user_id(number));
            for answer in join_all((0..200).map(|_| both.get_as(&token, "/v1/me"))).await {
                assert_refused(&answer, "user_unknown");
            }
        }
        assert_eq!(both.looks(), 30);
    }
}
