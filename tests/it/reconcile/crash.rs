//! The service is killed in the middle of emptying: it goes on, empties nobody twice, and does not
//! hold itself back.

use super::{WITHIN, crowd, fill};
use crate::support::{ADMIN_TOKEN, Engine, Service, TestDatabase, provider_variables, until};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use serde_json::{Value, json};

/// As many as may be emptied in a day, in more than one part.
const GONE: usize = 900;
const LIVE: usize = 100 * GONE;
const OTHERS: usize = 5;

async fn ask(service: &Service, method: &str, path: &str, body: &Value) -> Value {
    let url = format!("{}{path}", service.origin());
    let request = service.sender().client.request(method.parse().unwrap(), url);
    let answer = request.bearer_auth(ADMIN_TOKEN).body(body.to_string()).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

async fn ask_for(service: &Service, kind: &str) -> String {
    let job = ask(service, "POST", "/v1/jobs", &json!({ "kind": kind })).await;
    format!("/v1/jobs/{}", job["id"].as_str().unwrap_or_else(|| panic!("{job}")))
}

async fn ended(service: &Service, path: &str) -> Value {
    until("the job ends", WITHIN, async || {
        let job = ask(service, "GET", path, &Value::Null).await;
        let is_active = ["queued", "running"].contains(&job["state"].as_str().unwrap());
        (!is_active).then_some(job)
    })
    .await
}

/// On PostgreSQL a session that keeps the last row from being emptied, for as long as this lives.
fn hold_last_row(database: &TestDatabase) -> Option<PgConnection> {
    (database.engine == Engine::Postgres).then(|| {
        let mut connection = PgConnection::establish(&database.url()).unwrap();
        let schema = &database.schema;
        let lock = format!(
            "BEGIN; SELECT 1 FROM {schema}.users WHERE external_id = (SELECT max(external_id) \
             FROM {schema}.users WHERE external_id LIKE 'user_gone_%') FOR UPDATE"
        );
        connection.batch_execute(&lock).unwrap();
        connection
    })
}

/// On both engines at once: most of the time is spent waiting for the lease of the dead.
#[tokio::test]
async fn a_job_that_is_killed_while_it_empties_rows_goes_on_and_empties_nobody_twice() {
    tokio::join!(goes_on(Engine::Postgres), goes_on(Engine::Sqlite));
}

async fn goes_on(engine: Engine) {
    let (database, emulator) = (TestDatabase::new(engine), crowd(OTHERS));
    let own = provider_variables(&emulator);
    let mut own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
    own.extend([("USERSYNC_ADMIN_TOKEN", ADMIN_TOKEN), ("USERSYNC_WRITE_BACK", "off")]);
    let mut service = Service::start_with(&database, &own).await;
    let path = ask_for(&service, "backfill").await;
    assert_eq!(ended(&service, &path).await["state"], "succeeded");
    fill(&database, "known", LIVE - GONE - OTHERS, "'2099-01-01T00:00:00.000Z'");
    fill(&database, "gone", GONE, "NULL");

    let held = hold_last_row(&database);
    let path = ask_for(&service, "reconcile").await;
    let emptied = || database.count("users WHERE deletion_kind = 'absent'");
    until("some are emptied", WITHIN, async || (emptied() > 0).then_some(())).await;
    service.kill();
    let done = emptied();
    assert!(done <= GONE && (engine == Engine::Sqlite || done < GONE), "{done}");
    drop(held);
    service.start_again();
    service.until_ready().await;

    let job = ended(&service, &path).await;
    assert_eq!((&job["state"], &job["error"]), (&json!("succeeded"), &Value::Null), "{job}");
    let counted = ["seen", "updated", "extra", "failed"].map(|name| job["counters"][name].clone());
    assert_eq!(counted, [OTHERS, GONE, GONE, 0].map(|count| json!(count)), "{job}");
    assert_eq!((emptied(), database.count("users_live")), (GONE, LIVE - GONE));
    assert_eq!(database.count("absences WHERE state = 'emptied'"), GONE);
}
