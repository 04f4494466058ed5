//! Write-back: our id and role are written to the provider, once, whatever goes wrong meanwhile.

mod conflicts;
mod no_op;
mod outages;
mod overrides;
mod prefetch;
mod replicas;
mod unkept;

use crate::support::{Engine, TestApp};
use serde_json::json;

async fn with_settled_user(engine: Engine, name: &str) -> (TestApp, String) {
    let app = TestApp::builder(engine).emulated().start().await;
    let id = app.sign_up(name);
    app.quiet().await;
    (app, id)
}

both_engines! {
    async fn trap_26_n_new_users_cost_n_calls_and_their_echoes_none(engine) {
        const USERS: usize = 30;
        let app = TestApp::builder(engine).emulated().start().await;
        let ids: Vec<String> = (0..USERS).map(|number| app.sign_up(&format!("User{number}"))).collect();
        app.quiet().await;
        assert_eq!(app.calls(), (30, 0));
        for id in &ids {
            let row = app.user(id).await;
            assert_eq!(app.metadata(id), json!({"dbId": row["id"], "role": "user"}));
            assert_eq!(row["public_metadata"], app.metadata(id));
        }
    }

    async fn a_user_who_signs_in_before_the_event_gets_a_row_at_once(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        app.emulator.deliver_to(None);
        let id = app.sign_up("Ada");
        let first = app.me(&id).await;
        assert_eq!((first.status.as_u16(), &first.body["created"]), (200, &json!(true)), "{first:?}");
        assert_eq!(first.body["user"]["email"], "ada@example.org");
        assert_eq!(app.me(&id).await.body["created"], false);
    }
}
