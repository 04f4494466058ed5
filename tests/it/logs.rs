//! Logs hold ids and closed words only, whatever is asked for.

use crate::both_engines;
use crate::support::{
    Program, READ_TOKEN, SECRET, Sender, TestDatabase, deleted, message_id, user, user_id,
};
use serde_json::{Value, json};

/// Runs a service that logs all it can; returns everything that it logged meanwhile.
async fn logged(database: &TestDatabase, work: impl AsyncFnOnce(&Sender, &str)) -> String {
    let program = Program::on(database)
        .with("USERSYNC_BIND", "127.0.0.1:0")
        .with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET)
        .with("USERSYNC_READ_TOKEN", READ_TOKEN)
        .with("RUST_LOG", "trace");
    let mut running = program.start(&["serve"]);
    let line = running.line_with("\"ready\"");
    let line: Value = serde_json::from_str(&line).unwrap();
    let origin = format!("http://{}", line["address"].as_str().unwrap());
    let client = reqwest::Client::new();
    let url = format!("{origin}/webhooks/clerk");
    work(&Sender { client, url }, &origin).await;
    let (status, said) = running.terminate();
    assert_eq!(status, Some(0));
    said
}

fn malformed() -> Value {
    let mut event = user(&user_id(2), 1_000);
    event["data"]["banned"] = "personal-word".into();
    event
}

both_engines! {
    async fn trap_10_logs_hold_no_personal_data_whatever_rust_log_says(engine) {
        let database = TestDatabase::new(engine);
        let said = logged(&database, async |sender, origin| {
            sender.send(&user(&user_id(1), 1_000)).await;
            sender.send(&malformed()).await;
            sender.send_bytes(&message_id(), b"{\"email\": \"broken@example.org\"".to_vec()).await;
            sender.send(&json!({"type": "email.created", "data": {"body": "code 424242"}})).await;
            sender.send(&deleted(&user_id(1))).await;
            let url = format!("{origin}/v1/users?email=asked%40example.net");
            sender.client.get(url).bearer_auth(READ_TOKEN).send().await.unwrap();
        })
        .await;
        assert!(said.contains("delivery settled") && said.contains("quarantined"), "nothing is logged:\n{said}");
        let words = ["Ada", "example.org", "example.net", "personal-word", "424242", "email_addresses"];
        for word in words.into_iter().chain([READ_TOKEN, SECRET]) {
            assert!(!said.contains(word), "{word} is logged:\n{said}");
        }
    }

    async fn a_refusal_of_the_database_is_logged_without_its_words(engine) {
        let database = TestDatabase::new(engine);
        let said = logged(&database, async |sender, _| {
            let refusing = match database.engine {
                crate::support::Engine::Postgres => "ALTER TABLE users ADD CHECK (first_name <> 'Ada')",
                crate::support::Engine::Sqlite => {
                    "CREATE TRIGGER refuse BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'Ada is refused'); END"
                }
            };
            database.execute(refusing);
            assert_eq!(sender.send(&user(&user_id(1), 1_000)).await.outcome(), "quarantined");
        })
        .await;
        assert!(said.contains("refused"), "nothing is logged:\n{said}");
        assert!(!said.contains("Ada") && !said.contains("example.org"), "{said}");
    }
}
