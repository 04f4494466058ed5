//! Logs hold ids and closed words only, at any level.

use crate::support::{
    READ_TOKEN, SECRET, TestApp, TestClient, TestDatabase, deleted, message_id, user, user_id,
};
use serde_json::{Value, json};

/// Runs a service that logs all it can; returns everything that it logged meanwhile.
async fn logged(database: &TestDatabase, work: impl AsyncFnOnce(&TestClient)) -> String {
    let builder = TestApp::builder(database).variables(&[("RUST_LOG", "trace")]);
    let mut service = builder.start_process().await;
    work(&service.client).await;
    service.stop().await
}

fn malformed() -> Value {
    let mut event = user(&user_id(2), 1_000);
    event["data"]["banned"] = "personal-word".into();
    event
}

both_engines! {
    async fn trap_10_logs_hold_no_personal_data_whatever_rust_log_says(engine) {
        let database = TestDatabase::new(engine);
        let log = logged(&database, async |client| {
            client.send(&user(&user_id(1), 1_000)).await;
            client.send(&malformed()).await;
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
            let refusing = match database.engine {
                crate::support::Engine::Postgres => "ALTER TABLE users ADD CHECK (first_name <> 'Ada')",
                crate::support::Engine::Sqlite => {
                    "CREATE TRIGGER refuse BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'Ada is refused'); END"
                }
            };
            database.execute(refusing);
            assert_eq!(client.send(&user(&user_id(1), 1_000)).await.outcome(), "quarantined");
        })
        .await;
        assert!(log.contains("refused"), "nothing is logged:\n{log}");
        assert!(!log.contains("Ada") && !log.contains("example.org"), "{log}");
    }
}
