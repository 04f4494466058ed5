//! Write-back: the provider is told our id and role, once.

use crate::both_engines;
use crate::support::{ADMIN_TOKEN, Emulated};
use reqwest::Method;
use serde_json::json;

both_engines! {
    async fn trap_26_n_new_users_cost_n_calls_and_their_echoes_none(engine) {
        const USERS: usize = 30;
        let both = Emulated::start(engine).await;
        let ids: Vec<String> = (0..USERS).map(|number| both.sign_up(&format!("User{number}"))).collect();
        both.quiet().await;
        assert_eq!(both.emulator.counts().requests_of("metadata_patch"), 30);
        for id in &ids {
            let row = both.user(id).await;
            assert_eq!(both.metadata(id), json!({"dbId": row["id"], "role": "user"}));
            assert_eq!(row["public_metadata"], both.metadata(id));
        }
    }

    async fn a_role_set_here_reaches_the_provider_and_replaces_the_word_that_is_there(engine) {
        let both = Emulated::start(engine).await;
        let id = both.sign_up("Ada");
        both.quiet().await;
        let answer = both.ask(Method::PATCH, &format!("/v1/users/{id}"), ADMIN_TOKEN, Some(json!({"role": "admin"}))).await;
        assert_eq!((answer.status.as_u16(), &answer.body["role"]), (200, &json!("admin")));
        both.quiet().await;
        assert_eq!(both.metadata(&id)["role"], "admin");
        assert_eq!(both.user(&id).await["role"], "admin");
        let chosen = both.database.query("SELECT set_role AS value FROM users");
        assert_eq!(chosen, [None], "the provider has taken it over");
        assert_eq!(both.emulator.counts().requests_of("metadata_patch"), 2);
    }

    async fn a_user_who_signs_in_before_the_event_gets_a_row_at_once(engine) {
        let both = Emulated::start(engine).await;
        both.emulator.deliver_to(None);
        let id = both.sign_up("Ada");
        let first = both.me(&id).await;
        assert_eq!((first.status.as_u16(), &first.body["created"]), (200, &json!(true)), "{first:?}");
        assert_eq!(first.body["user"]["email"], "ada@example.org");
        assert_eq!(both.me(&id).await.body["created"], false);
    }
}
