//! The provider's API does not answer, or there is no key to it.

use super::{assert_not_synced, assert_refused, without_write_back};
use crate::support::{TestApp, TestEmulator, user_id};
use clerk_emulator::Outage;
use serde_json::json;

both_engines! {
    async fn while_the_api_is_away_known_users_come_in_and_events_are_applied(app = without_write_back) {
        let known = app.sign_up_and_settle("Ada").await;
        let unknown = app.sign_up_silently("Grace");
        assert_eq!(app.me(&known).await.status, 200);
        app.emulator.set_outage(Outage::Unavailable);
        let looks = app.looks();
        let (known_token, unknown_token) =
            (app.emulator.session_token(&known), app.emulator.session_token(&unknown));
        assert_eq!(app.get_as(&known_token, "/v1/me").await.status, 200);
        assert_eq!(app.looks(), looks);
        assert_not_synced(&app.get_as(&unknown_token, "/v1/me").await);
        assert!(app.looks() > looks);
        for (id, name) in [(&known, "Lovelace"), (&unknown, "Hopper")] {
            app.emulator.update_user(id, json!({"last_name": name}));
        }
        app.emulator.wait_until_idle().await;
        let answer = app.get_as(&known_token, "/v1/me").await;
        assert_eq!(answer.body["user"]["name"], "Ada Lovelace");
        let answer = app.get_as(&unknown_token, "/v1/me").await;
        assert_eq!((answer.status.as_u16(), &answer.body["user"]["name"]), (200, &json!("Grace Hopper")));
    }

    async fn an_outage_is_not_taken_for_a_user_who_is_unknown(app = without_write_back) {
        let known = app.sign_up_and_settle("Ada").await;
        let missing = app.sign_up_silently("Grace");
        // The keys of tokens are known from here on.
        assert_eq!(app.me(&known).await.status, 200);
        for outage in [Outage::Unauthorized, Outage::Unavailable] {
            app.emulator.set_outage(outage);
            assert_not_synced(&app.me(&missing).await);
            assert_eq!(app.me(&known).await.status, 200);
        }
        assert!(!app.me(&missing).await.body.to_string().contains("127.0.0.1"));
    }

    async fn once_the_api_is_back_the_row_is_made(app = without_write_back) {
        let known = app.sign_up_and_settle("Ada").await;
        let missing = app.sign_up_silently("Grace");
        assert_eq!(app.me(&known).await.status, 200);
        app.emulator.set_outage(Outage::Unauthorized);
        assert_not_synced(&app.me(&missing).await);
        app.emulator.set_outage(Outage::None);
        let answer = app.me(&missing).await;
        assert_eq!((answer.status.as_u16(), &answer.body["created"]), (200, &json!(true)), "{answer:?}");
    }

    async fn an_outage_that_says_404_empties_no_row(app = without_write_back) {
        let known = app.sign_up_and_settle("Ada").await;
        let missing = app.sign_up_silently("Grace");
        app.emulator.set_outage(Outage::NotFound);
        assert_refused(&app.me(&missing).await, "user_unknown");
        assert_eq!(app.me(&known).await.status, 200);
        assert_eq!(app.user(&known).await["status"], "active");
    }

    async fn without_a_key_a_row_comes_by_its_event_only(engine) {
        let emulator = TestEmulator::start();
        let pem = emulator.credentials().jwt_key.clone();
        let variables = [("CLERK_SECRET_KEY", ""), ("CLERK_JWT_KEY", pem.as_str())];
        let app = TestApp::builder(engine).emulator(&emulator).variables(&variables).start().await;
        let token = app.emulator.session_token(&user_id(1));
        let answer = app.get_as(&token, "/v1/me").await;
        assert_not_synced(&answer);
        assert!(answer.body["detail"].as_str().unwrap().contains("CLERK_SECRET_KEY"));
        assert_eq!(app.deliver(&user_id(1)).await.outcome(), "applied");
        assert_eq!(app.get_as(&token, "/v1/me").await.status, 200);
        assert_eq!(app.emulator.counts().all_requests(), 0);
    }
}
