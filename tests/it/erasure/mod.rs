//! After a deletion nothing of the person is left in any place that the service writes.
//!
//! [`person`] generates people, whose ids and addresses are spelled as no provider would, with one mark in
//! every personal field, and looks for it.

pub mod person;

use crate::support::{
    AppProcess, Delivery, Engine, TestApp, TestDatabase, deleted, message_id, until_soon,
};
use diesel::connection::SimpleConnection as _;
use person::Person;

/// Enough that pages of tables and indexes are split, and statistics have something to say.
const PEOPLE: usize = 60;

const LOUD: [(&str, &str); 2] = [("RUST_LOG", "trace"), ("USERSYNC_LOG_FORMAT", "json")];

both_engines! {
    async fn a_deletion_leaves_nothing_of_the_person_in_tables_files_and_logs(engine) {
        let database = TestDatabase::new(engine);
        let service = TestApp::builder(&database).variables(&LOUD).start_process().await;
        let people = Person::many(PEOPLE);
        for person in &people {
            arrive(&service, person).await;
        }
        person::refresh_statistics(&database);
        for kind in person::everywhere(&database) {
            assert!(kind.holds_mark(), "the mark was never in {}", kind.place);
        }
        for person in &people {
            depart(&service, person).await;
        }
        until_soon("no trace is left", async || {
            person::everywhere(&database).iter().all(|kind| !kind.holds_mark())
        })
        .await;
        person::refresh_statistics(&database);
        assert!(!person::statistics(&database).contains(person::MARK));
        check_log(&service);
        assert_eq!(database.count("quarantine"), 0);
        assert_eq!(database.count("users WHERE status = 'deleted'"), PEOPLE);
    }
}

#[tokio::test]
async fn a_reader_of_the_sqlite_file_keeps_deleted_bytes_only_while_it_reads() {
    let database = TestDatabase::new(Engine::Sqlite);
    let service = TestApp::builder(&database).start_process().await;
    let person = &Person::many(1)[0];
    assert_eq!(service.send(&person.event()).await.outcome(), "applied");
    let mut reader = database.connect_sqlite();
    reader.batch_execute("BEGIN; SELECT count(*) FROM users").unwrap();
    assert_eq!(service.send(&deleted(&person.id)).await.outcome(), "applied");
    assert!(!database.dump().contains(person::MARK));
    let in_files = || person::files(&database).contains(person::MARK);
    assert!(in_files(), "the reader holds nothing back, so this proves nothing");
    reader.batch_execute("COMMIT").unwrap();
    until_soon("the bytes are gone", async || !in_files()).await;
}

#[tokio::test]
async fn a_reader_that_never_ends_is_said_once_and_shown_until_it_does() {
    let database = TestDatabase::new(Engine::Sqlite);
    let service = TestApp::builder(&database).start_process().await;
    let person = &Person::many(1)[0];
    assert_eq!(service.send(&person.event()).await.outcome(), "applied");
    let mut replicator = database.connect_sqlite();
    replicator.batch_execute("BEGIN; SELECT count(*) FROM users").unwrap();
    assert_eq!(service.send(&deleted(&person.id)).await.outcome(), "applied");
    service.logged("write-ahead log cannot be emptied").await;
    assert!(service.metric("usersync_wal_dirty_seconds").await >= 30);
    replicator.batch_execute("COMMIT").unwrap();
    service.logged("write-ahead log is emptied").await;
    assert_eq!(service.metric("usersync_wal_dirty_seconds").await, 0);
    assert!(!person::files(&database).contains(person::MARK));
    assert_eq!(service.log().matches("cannot be emptied").count(), 1);
}

/// A user is created, and deliveries that cannot be applied or are not genuine come too.
async fn arrive(service: &AppProcess, person: &Person) {
    let sender = service.client.clone();
    assert_eq!(sender.send(&person.event()).await.outcome(), "applied");
    assert_eq!(sender.send(&person.malformed()).await.outcome(), "quarantined");
    send_torn(service, person, "quarantined").await;
    forge(service, person).await;
    let found = service.find_by_email(&person.email).await;
    assert_eq!(found.data()[0]["external_id"], person.id);
    for spelled in [&person.id, person.spelled(2)] {
        assert_eq!(service.user(spelled).await["external_id"], person.id, "{spelled:?}");
    }
}

/// The user is deleted, and what was late comes after that.
async fn depart(service: &AppProcess, person: &Person) {
    let sender = service.client.clone();
    assert_eq!(sender.send(&deleted(person.spelled(2))).await.outcome(), "applied");
    for late in [person.event(), person.malformed()] {
        assert_eq!(sender.send(&late).await.outcome(), "tombstoned");
    }
    send_torn(service, person, "tombstoned").await;
    forge(service, person).await;
}

/// The payload cut short, for whom it can be found out whose it is.
async fn send_torn(service: &AppProcess, person: &Person, outcome: &str) {
    if person.is_word {
        let torn = service.send_bytes(&message_id(), person.torn()).await;
        assert_eq!(torn.outcome(), outcome);
    }
}

/// The payload with another secret's signature, and re-encoded on the way.
async fn forge(service: &AppProcess, person: &Person) {
    let sender = service.client.clone();
    let (body, spaced) = (person.event().to_string(), person.rewritten());
    // Larger bodies are not diagnosed.
    let is_told = spaced.len() <= 16 * 1024;
    let told = if is_told { "body_reencoded" } else { "bad_signature" };
    for (signed, sent, code) in
        [("{}", body.clone(), "bad_signature"), (body.as_str(), spaced, told)]
    {
        let answer = Delivery::bytes(signed).with_body(sent).post(&sender).await;
        answer.assert_problem(400, code);
        assert!(!answer.body.to_string().contains(person::MARK));
    }
}

/// The log shows deliveries and rejections, but nothing personal.
fn check_log(service: &AppProcess) {
    let log = service.log();
    for entry in ["delivery committed", "tombstoned", "quarantined", "rejected"] {
        assert!(log.contains(entry), "the log does not hold: {entry}");
    }
    let leaks: Vec<&str> = log.lines().filter(|line| line.contains(person::MARK)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
