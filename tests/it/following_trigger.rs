//! The trigger of docs/adopting.md, as printed, keeps a table of the application in step that is as
//! strict as such tables are: it refuses no event and no deletion.

use crate::support::{Engine, TestApp, deleted, run, user, user_id};
use serde_json::{Value, json};

/// The block of SQL that makes the trigger, for the schema of a test.
fn trigger(schema: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/adopting.md");
    let text = std::fs::read_to_string(page).unwrap();
    let (_, block) = text.split_once("```sql\nCREATE FUNCTION public.follow_user()").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let sql = format!("CREATE FUNCTION public.follow_user(){block}");
    sql.replace("public.", &format!("{schema}."))
        .replace("usersync.users", &format!("{schema}.users"))
}

async fn followed() -> TestApp {
    let app = TestApp::start(Engine::Postgres).await;
    app.database.execute(
        "CREATE TABLE accounts (id text PRIMARY KEY, clerk_id text NOT NULL UNIQUE, \
         email text NOT NULL UNIQUE CHECK (email <> ''), name text NOT NULL, deleted bool NOT NULL)",
    );
    app.database.execute(&trigger(&app.database.schema));
    app
}

fn accounts(app: &TestApp) -> Vec<String> {
    let line = "clerk_id || ' ' || email || ' ' || name || ' ' || deleted AS value";
    app.database.texts(&format!("SELECT {line} FROM accounts ORDER BY clerk_id"))
}

fn with_address(id: &str, updated_at: i64, address: Value) -> Value {
    let mut event = user(id, updated_at);
    event["data"]["email_addresses"] = match address {
        Value::Null => json!([]),
        address => json!([{"id": "idn_1", "email_address": address}]),
    };
    event
}

#[tokio::test]
async fn the_documented_trigger_survives_deletions_missing_addresses_and_addresses_that_move() {
    run(async {
        let app = followed().await;
        let (first, second, third) = (user_id(1), user_id(2), user_id(3));
        let shared = || json!("ada@example.org");
        for event in [
            with_address(&first, 1_000, shared()),
            with_address(&second, 1_000, Value::Null),
            // The address moves before its old owner is updated.
            with_address(&third, 1_000, shared()),
            deleted(&second),
            with_address(&first, 2_000, json!("grace@example.org")),
        ] {
            assert_eq!(app.send(&event).await.outcome(), "applied", "{event}");
        }
        let id = |external: &str| app.column(external, "id").unwrap();
        let expected = [
            format!("{first} grace@example.org Ada Version2000 false"),
            format!("{second} {}@no-address.invalid  true", id(&second)),
            format!("{third} ada@example.org Ada Version1000 false"),
        ];
        assert_eq!(accounts(&app), expected);
        assert_eq!(app.database.count("quarantine"), 0);
    })
    .await;
}
