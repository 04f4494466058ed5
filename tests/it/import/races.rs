//! The service, or another session, writes the same users during an import.

use super::{import, migrated, pairs, rows};
use crate::support::{
    Engine, Program, RunOutput, TestApp, TestDatabase, WriterLock, until_true, user, user_id,
};
use diesel::connection::SimpleConnection;
use serde_json::json;
use std::collections::HashMap;

const USERS: usize = 2_000;

const SENDERS: usize = 4;

struct Uncommitted(Box<dyn SimpleConnection + Send>);

impl Uncommitted {
    fn row(database: &TestDatabase, id: &str, external_id: &str) -> Self {
        let mut connection = database.connect();
        let zero = "decode(repeat('00', 32), 'hex')";
        let sql = format!(
            "BEGIN; INSERT INTO users (id, source, external_id, status, \
             name, version_updated_at, version_projection, version_kind, version_seen_at, \
             version_digest, created_at, updated_at, synced_at) VALUES ('{id}', 'clerk', \
             '{external_id}', 'active', 'Faster', 5, 1, 1, 5, {zero}, now(), now(), now())"
        );
        connection.batch_execute(&sql).unwrap();
        Self(connection)
    }

    /// Commits once another session waits for that.
    async fn commit_when_awaited(mut self, database: &TestDatabase) {
        let sql = format!(
            "pg_stat_activity WHERE wait_event_type = 'Lock' AND pid IN (SELECT pid FROM pg_locks WHERE relation = '{}.users'::regclass)",
            database.schema
        );
        until_true("the import waits for the row", async || database.count(&sql) > 0).await;
        self.0.batch_execute("COMMIT").unwrap();
    }
}

/// Imports a file while another session writes the row `id` of this user, and commits it first.
async fn import_meanwhile(
    (id, external_id): (&str, String),
    content: String,
) -> (TestDatabase, RunOutput) {
    let database = migrated(Engine::Postgres);
    let faster = Uncommitted::row(&database, id, &external_id);
    let importing = database.clone();
    let run = tokio::task::spawn_blocking(move || import(&importing, content, &[]));
    faster.commit_when_awaited(&database).await;
    (database, run.await.unwrap())
}

#[tokio::test]
async fn a_user_who_comes_between_look_and_insertion_keeps_the_row_of_the_event() {
    let file = pairs(&[("a", user_id(1)), ("b", user_id(2)), ("c", user_id(3))]);
    let (database, run) = import_meanwhile(("theirs", user_id(2)), file).await;
    assert_eq!((run.status, run.counts()), (Some(1), [3, 2, 0, 1]), "{run:?}");
    assert_eq!(run.bad_lines(), [(3, format!("{} already has the row theirs", user_id(2)))]);
    let all = [("a", 1), ("theirs", 2), ("c", 3)];
    assert_eq!(rows(&database), all.map(|(id, number)| format!("{id} {}", user_id(number))));
    assert_eq!(database.count("users WHERE name = 'Faster' AND version_updated_at = 5"), 1);
}

#[tokio::test]
async fn nothing_is_raised_in_a_row_that_comes_between_look_and_insertion() {
    let file = json!({"id": user_id(1), "first_name": "Slower", "last_sign_in_at": 5_000});
    let (database, run) = import_meanwhile(("theirs", user_id(1)), file.to_string()).await;
    assert_eq!((run.status, run.counts()), (Some(0), [1, 0, 1, 0]), "{run:?}");
    assert_eq!(database.count("users WHERE name = 'Faster' AND last_sign_in_at IS NULL"), 1);
    assert_eq!(database.count("users"), 1);
}

#[tokio::test]
async fn an_id_that_is_taken_between_look_and_insertion_keeps_one_line_out_not_its_batch() {
    let file = pairs(&[("a", user_id(1)), ("b", user_id(2)), ("c", user_id(3))]);
    let (database, run) = import_meanwhile(("b", user_id(9)), file).await;
    assert_eq!((run.status, run.counts()), (Some(1), [3, 2, 0, 1]), "{run:?}");
    let reason = "the row b already belongs to another user".to_owned();
    assert_eq!(run.bad_lines(), [(3, reason)]);
    let all = [("a", 1), ("c", 3), ("b", 9)];
    assert_eq!(rows(&database), all.map(|(id, number)| format!("{id} {}", user_id(number))));
}

both_engines! {
    async fn users_who_are_imported_and_delivered_at_once_have_one_row_with_the_events_profile(app = TestApp::start) {
        let program = Program::on(&app.database);
        let ids: Vec<String> = (0..USERS).map(|number| format!("row-{number}")).collect();
        let all: Vec<_> = ids.iter().map(String::as_str).zip((0..USERS).map(user_id)).collect();
        std::fs::write(program.directory().join("users"), pairs(&all)).unwrap();
        let run = tokio::task::spawn_blocking(move || program.run(&["import", "users", "--json"]));
        // From the other end, so that some users are first met by each of the two.
        let senders = (0..SENDERS).map(|first| {
            let sender = app.client.clone();
            tokio::spawn(async move {
                for number in (0..USERS).rev().filter(|number| number % SENDERS == first) {
                    let answer = sender.send(&user(&user_id(number), 1_000)).await;
                    assert_eq!(answer.outcome(), "applied", "{answer:?}");
                }
            })
        });
        for sender in senders.collect::<Vec<_>>() {
            sender.await.unwrap();
        }
        let run = run.await.unwrap();
        let [lines, imported, known, bad] = run.counts();
        assert_eq!((lines, known, imported + bad), (2_000, 0, 2_000), "{run:?}");
        assert_eq!(run.status, Some(i32::from(bad > 0)));
        let ids: HashMap<String, String> = rows(&app.database)
            .iter()
            .map(|row| row.split_once(' ').unwrap())
            .map(|(id, external_id)| (external_id.to_owned(), id.to_owned()))
            .collect();
        assert_eq!((ids.len(), app.database.count("users")), (USERS, USERS));
        let left_out: HashMap<u64, String> = run.bad_lines().into_iter().collect();
        for (number, line) in (0..USERS).zip(2..) {
            let id = &ids[&user_id(number)];
            match left_out.get(&line) {
                None => assert_eq!(*id, format!("row-{number}")),
                Some(reason) => assert_eq!(*reason, format!("{} already has the row {id}", user_id(number))),
            }
        }
        assert_eq!(app.database.count("users WHERE last_name = 'Version1000'"), USERS);
    }

    async fn a_database_that_is_busy_for_a_while_is_waited_for(engine) {
        let database = migrated(engine);
        let lock = WriterLock::on(&database);
        let program = Program::on(&database).with("RUST_LOG", "usersync=debug");
        std::fs::write(program.directory().join("users"), pairs(&[("a", user_id(1))])).unwrap();
        let mut running = program.start(&["import", "users"]);
        running.line_with("the database is away");
        lock.release();
        running.line_with("pairs: 1 line(s) read, 1 imported, 0 known already, 0 bad");
        assert_eq!(rows(&database), [format!("a {}", user_id(1))]);
    }
}
