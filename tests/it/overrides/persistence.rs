//! An override stands until the provider has acknowledged it: no snapshot undoes it.

use super::words;
use crate::support::{TestApp, user, user_id, with_metadata};
use serde_json::json;

both_engines! {
    async fn a_snapshot_leaves_a_choice_alone(app = TestApp::start) {
        let id = user_id(1);
        app.send(&with_metadata(1_000, json!({"role": "user", "plan": "free"}))).await;
        app.choose(&id, json!({"role": "admin", "plan": "pro"})).await;
        // One that was in flight, and one that is newer.
        assert_eq!(app.send(&with_metadata(900, json!({}))).await.outcome(), "stale");
        assert_eq!(app.words(&id).await, words("admin", "pro"));
        let newer = with_metadata(2_000, json!({"role": "user", "plan": "gold"}));
        assert_eq!(app.send(&newer).await.outcome(), "applied");
        assert_eq!(app.words(&id).await, words("admin", "pro"));
        assert_eq!(app.user(&id).await["public_metadata"], json!({"role": "user", "plan": "gold"}));
    }

    async fn what_is_dropped_falls_back_to_the_providers_word_of_now_and_never_to_what_the_row_had(app = TestApp::start) {
        let id = user_id(1);
        app.send(&with_metadata(1_000, json!({"role": "admin", "plan": "gold"}))).await;
        app.choose(&id, json!({"role": "user", "plan": "pro"})).await;
        app.send(&with_metadata(2_000, json!({"role": "wizard"}))).await;
        assert_eq!(app.words(&id).await, words("user", "pro"));
        app.choose(&id, json!({"role": null, "plan": null})).await;
        assert_eq!(app.words(&id).await, words("user", "free"));
        app.send(&with_metadata(3_000, json!({"role": "admin", "plan": "gold"}))).await;
        assert_eq!(app.words(&id).await, words("admin", "gold"));
        app.choose(&id, json!({"role": null, "plan": null})).await;
        assert_eq!(app.words(&id).await, words("admin", "gold"), "nothing was chosen");
    }

    async fn a_choice_touches_nothing_else_of_the_row(app = TestApp::start) {
        let id = user_id(1);
        app.send(&with_metadata(1_000, json!({"theme": "dark"}))).await;
        let mut expected = app.user(&id).await;
        let answer = app.choose(&id, json!({"role": "admin"})).await;
        expected["role"] = "admin".into();
        expected["updated_at"] = answer.body["updated_at"].clone();
        assert_eq!(answer.body, expected);
    }

    async fn the_last_of_many_choices_counts(app = TestApp::start) {
        let id = user_id(1);
        app.send(&user(&id, 1_000)).await;
        for number in 0..10 {
            app.choose(&id, json!({"plan": format!("plan-{number}")})).await;
        }
        assert_eq!(app.words(&id).await, words("user", "plan-9"));
        let choices = (0..10).map(|number| app.choose(&id, json!({"plan": format!("late-{number}")})));
        for answer in futures_util::future::join_all(choices).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let (_, plan) = app.words(&id).await;
        assert!(plan.as_str().unwrap().starts_with("late-"));
        assert_eq!(app.database.count("write_backs"), 1, "many choices are one thing to tell");
    }
}
