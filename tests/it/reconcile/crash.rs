//! The service is killed while it empties rows: it goes on, empties no row twice, and is not stopped
//! by its own limit.

use super::{fill, just_now};
use crate::support::{Engine, TestApp, TestDatabase, TestEmulator, until_true};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

/// As many as may be emptied in a day, in more than one part.
const GONE: usize = 900;
const LIVE: usize = 100 * GONE;
const OTHERS: usize = 5;

/// On PostgreSQL a session that keeps the last row from being emptied, for as long as this lives.
fn hold_last_row(database: &TestDatabase) -> Option<Box<dyn SimpleConnection + Send>> {
    (database.engine == Engine::Postgres).then(|| {
        let mut connection = database.connect();
        let lock = "BEGIN; SELECT 1 FROM users WHERE external_id = (SELECT max(external_id) \
                    FROM users WHERE external_id LIKE 'user_gone_%') FOR UPDATE";
        connection.batch_execute(lock).unwrap();
        connection
    })
}

/// On both engines at once: most of the time is spent waiting for the lease to end.
#[tokio::test]
async fn a_job_that_is_killed_while_it_empties_rows_goes_on_and_empties_none_twice() {
    tokio::join!(goes_on(Engine::Postgres), goes_on(Engine::Sqlite));
}

async fn goes_on(engine: Engine) {
    let (database, emulator) = (TestDatabase::new(engine), TestEmulator::with_users(OTHERS));
    let builder = TestApp::builder(&database).emulator(&emulator).no_write_back();
    let mut service = builder.start_process().await;
    service.finish_job(json!({"kind": "backfill"})).await;
    fill(&database, "known", LIVE - GONE - OTHERS, just_now(engine));
    fill(&database, "gone", GONE, "NULL");

    let held = hold_last_row(&database);
    let id = service.start_job(json!({"kind": "reconcile"})).await;
    let emptied = || database.count("users WHERE deletion_kind = 'absent'");
    until_true("some are emptied", async || emptied() > 0).await;
    service.kill();
    let done = emptied();
    assert!(done <= GONE && (engine == Engine::Sqlite || done < GONE), "{done}");
    drop(held);
    service.start_again();
    service.until_ready().await;

    let job = service.ended_job(&id).await;
    assert_eq!((&job["state"], &job["error"]), (&json!("succeeded"), &Value::Null), "{job}");
    let counted = ["seen", "updated", "extra", "failed"].map(|name| job["counters"][name].clone());
    assert_eq!(counted, [OTHERS, GONE, GONE, 0].map(|count| json!(count)), "{job}");
    assert_eq!((emptied(), database.count("users_live")), (GONE, LIVE - GONE));
    assert_eq!(database.count("absences WHERE state = 'emptied'"), GONE);
}
