//! The provider's API does not answer, or there is no key to it.

use super::{assert_not_synced, assert_refused, without_write_back};
use crate::both_engines;
use crate::support::{Emulated, emulator, user_id};
use clerk_emulator::Outage;
use serde_json::json;

both_engines! {
    async fn while_the_api_is_away_known_users_come_in_and_events_are_applied(engine) {
        let both = without_write_back(engine).await;
        let known = both.sign_up_and_settle("Ada").await;
        let unknown = both.sign_up_silently("Grace");
        assert_eq!(both.me(&known).await.status, 200);
        both.emulator.set_outage(Outage::Unavailable);
        let looks = both.looks();
        let (known_token, unknown_token) =
            (both.emulator.session_token(&known), both.emulator.session_token(&unknown));
        assert_eq!(both.get_as(&known_token, "/v1/me").await.status, 200);
        assert_eq!(both.looks(), looks);
        assert_not_synced(&both.get_as(&unknown_token, "/v1/me").await);
        assert!(both.looks() > looks);
        for (id, name) in [(&known, "Lovelace"), (&unknown, "Hopper")] {
            both.emulator.update_user(id, json!({"last_name": name}));
        }
        both.emulator.settled().await;
        let answer = both.get_as(&known_token, "/v1/me").await;
        assert_eq!(answer.body["user"]["name"], "Ada Lovelace");
        let answer = both.get_as(&unknown_token, "/v1/me").await;
        assert_eq!((answer.status.as_u16(), &answer.body["user"]["name"]), (200, &json!("Grace Hopper")));
    }

    async fn an_outage_is_not_taken_for_a_user_who_is_unknown(engine) {
        let both = without_write_back(engine).await;
        let known = both.sign_up_and_settle("Ada").await;
        let missing = both.sign_up_silently("Grace");
        // The keys of tokens are known from here on.
        assert_eq!(both.me(&known).await.status, 200);
        for outage in [Outage::Unauthorized, Outage::Unavailable] {
            both.emulator.set_outage(outage);
            assert_not_synced(&both.me(&missing).await);
            assert_eq!(both.me(&known).await.status, 200);
        }
        assert!(!both.me(&missing).await.body.to_string().contains("127.0.0.1"));
    }

    async fn once_the_api_is_back_the_row_is_made(engine) {
        let both = without_write_back(engine).await;
        let known = both.sign_up_and_settle("Ada").await;
        let missing = both.sign_up_silently("Grace");
        assert_eq!(both.me(&known).await.status, 200);
        both.emulator.set_outage(Outage::Unauthorized);
        assert_not_synced(&both.me(&missing).await);
        both.emulator.set_outage(Outage::None);
        let answer = both.me(&missing).await;
        assert_eq!((answer.status.as_u16(), &answer.body["created"]), (200, &json!(true)), "{answer:?}");
    }

    async fn an_outage_that_says_404_empties_nobody(engine) {
        let both = without_write_back(engine).await;
        let known = both.sign_up_and_settle("Ada").await;
        let missing = both.sign_up_silently("Grace");
        both.emulator.set_outage(Outage::NotFound);
        assert_refused(&both.me(&missing).await, "user_unknown");
        assert_eq!(both.me(&known).await.status, 200);
        assert_eq!(both.user(&known).await["status"], "active");
    }

    async fn without_a_key_a_row_comes_by_its_event_only(engine) {
        let emulator = emulator();
        let pem = emulator.credentials().jwt_key.clone();
        let variables = [("CLERK_SECRET_KEY", ""), ("CLERK_JWT_KEY", pem.as_str())];
        let database = crate::support::TestDatabase::new(engine);
        let both = Emulated::start_on(database, emulator, &variables).await;
        let token = both.emulator.session_token(&user_id(1));
        let answer = both.get_as(&token, "/v1/me").await;
        assert_not_synced(&answer);
        assert!(answer.body["detail"].as_str().unwrap().contains("CLERK_SECRET_KEY"));
        assert_eq!(both.deliver(&user_id(1)).await.outcome(), "applied");
        assert_eq!(both.get_as(&token, "/v1/me").await.status, 200);
        assert_eq!(both.emulator.counts().all_requests(), 0);
    }
}
