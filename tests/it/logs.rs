//! Logs hold ids and closed words only, at any level.

use crate::support::{
    READ_TOKEN, SECRET, TestApp, TestClient, TestDatabase, deleted, message_id, user, user_id,
    user_with,
};
use serde_json::json;

async fn logged(database: &TestDatabase, work: impl AsyncFnOnce(&TestClient)) -> String {
    let builder = TestApp::builder(database).variables(&[("RUST_LOG", "trace")]);
    let mut service = builder.start_process().await;
    work(&service.client).await;
    service.stop().await
}

both_engines! {
    async fn trap_10_logs_hold_no_personal_data_whatever_rust_log_says(engine) {
        let database = TestDatabase::new(engine);
        let log = logged(&database, async |client| {
            client.send(&user(&user_id(1), 1_000)).await;
            client.send(&user_with(&user_id(2), 1_000, "banned", "personal-word")).await;
            client.send_bytes(&message_id(), b"{\"email\": \"broken@example.org\"".to_vec()).await;
            client.send(&json!({"type": "email.created", "data": {"body": "code 424242"}})).await;
            client.send(&deleted(&user_id(1))).await;
            client.get_as(READ_TOKEN, "/v1/users?email=asked%40example.net").await;
        })
        .await;
        assert!(log.contains("delivery committed") && log.contains("quarantined"), "nothing is logged:\n{log}");
        let words = ["Ada", "example.org", "example.net", "personal-word", "424242", "email_addresses"];
        for word in words.into_iter().chain([READ_TOKEN, SECRET]) {
            assert!(!log.contains(word), "{word} is logged:\n{log}");
        }
    }

    async fn a_refusal_of_the_database_is_logged_without_its_words(engine) {
        let database = TestDatabase::new(engine);
        let log = logged(&database, async |client| {
            database.refuse_users("first_name", "Ada");
            assert_eq!(client.send(&user(&user_id(1), 1_000)).await.outcome(), "quarantined");
        })
        .await;
        assert!(log.contains("refused"), "nothing is logged:\n{log}");
        assert!(!log.contains("Ada") && !log.contains("example.org"), "{log}");
    }
}
