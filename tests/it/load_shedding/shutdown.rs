//! A stop finishes what waits; a client that goes away loses nothing.

use crate::support::{
    Answer, AppProcess, Cluster, Delivery, Engine, TestApp, TestDatabase, WriterLock, message_id,
    until_true, user, user_id,
};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const WAITING: usize = 40;

/// The longest that a stop may take: 20 s for requests, 5 s for the queue.
const STOPPED_WITHIN: Duration = Duration::from_secs(25);

both_engines! {
    async fn a_stop_commits_and_answers_everything_that_waits(engine) {
        let database = TestDatabase::new(engine);
        let mut service = TestApp::builder(&database).start_process().await;
        let (lock, first) = occupy_writer(&service, &database).await;
        let mut waiting = vec![first];
        waiting.extend((0..WAITING).map(|number| post(&service, number)));
        until_all_wait(&service).await;
        service.terminate();
        service.logged("stopping: ").await;
        lock.release();
        for task in waiting {
            assert_eq!(task.await.unwrap().outcome(), "applied");
        }
        let status = timeout(STOPPED_WITHIN, service.ended()).await.expect("the service stops");
        assert!(status.success(), "{status}");
        assert_eq!(database.count("users"), WAITING + 1);
    }

    async fn an_event_whose_sender_went_away_is_still_committed(engine) {
        let database = TestDatabase::new(engine);
        let service = TestApp::builder(&database).start_process().await;
        let (lock, first) = occupy_writer(&service, &database).await;
        for number in 0..WAITING {
            let signed = Delivery::event(&user(&user_id(number), 1_000));
            let head = signed.head(&[&format!("content-length: {}", signed.body.len())]);
            let mut connection = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
            connection.write_all(&[head, signed.body].concat()).unwrap();
        }
        until_all_wait(&service).await;
        lock.release();
        assert_eq!(first.await.unwrap().outcome(), "applied");
        until_true("every event is committed", async || {
            database.count("users") == WAITING + 1
        })
        .await;
    }
}

#[tokio::test]
async fn between_not_ready_and_closed_requests_are_served_and_connections_closed() {
    let database = TestDatabase::new(Engine::Sqlite);
    let delay = [("USERSYNC_SHUTDOWN_DELAY", "3s")];
    let mut service = TestApp::builder(&database).variables(&delay).start_process().await;
    let before = service.get("/healthz").await;
    assert_eq!(before.headers.get("connection"), None);
    service.terminate();
    service.logged("not ready any more").await;
    service.get("/readyz").await.assert_unavailable("not_running");
    let answer = service.send(&user(&user_id(1), 1_000)).await;
    assert_eq!(
        (answer.outcome(), answer.headers["connection"].to_str().unwrap()),
        ("applied", "close")
    );
    assert!(service.ended().await.success());
}

/// A service with a delivery under way at a server that hangs, which was asked to stop.
struct Hanging {
    service: AppProcess,
    waiting: JoinHandle<Answer>,
    /// Goes on before the database is removed from it.
    _cluster: Cluster,
    _database: TestDatabase,
}

async fn stopping_at_a_server_that_hangs() -> Hanging {
    let cluster = Cluster::start();
    let database = TestDatabase::on_server(&cluster.url);
    let service = TestApp::builder(&database).start_process().await;
    cluster.suspend();
    let waiting = post(&service, 1);
    until_true("the writer is at work", async || {
        service.metric("usersync_batch_size_count").await == 1
    })
    .await;
    service.terminate();
    service.logged("stopping: ").await;
    Hanging { service, waiting, _cluster: cluster, _database: database }
}

#[tokio::test]
async fn a_stop_ends_in_time_though_the_server_hangs() {
    let mut hanging = stopping_at_a_server_that_hangs().await;
    assert_eq!((&mut hanging.waiting).await.unwrap().status, 503);
    let within = STOPPED_WITHIN + Duration::from_secs(2);
    assert!(timeout(within, hanging.service.ended()).await.is_ok(), "it goes on");
}

#[tokio::test]
async fn a_second_signal_ends_a_service_at_once_though_the_server_hangs() {
    let mut hanging = stopping_at_a_server_that_hangs().await;
    hanging.service.terminate();
    let ended = timeout(Duration::from_secs(5), hanging.service.ended()).await;
    assert_eq!(ended.expect("it ends at once").code(), Some(130));
    hanging.waiting.abort();
}

#[tokio::test]
async fn a_service_that_waits_for_another_one_s_migration_stops_when_it_is_asked_to() {
    // The lock is one for all services of a server's database.
    let cluster = Cluster::start();
    let database = TestDatabase::on_server(&cluster.url);
    let mut other = database.connect();
    other.batch_execute("SELECT pg_advisory_lock(x'7573657273796e63'::bigint)").unwrap();
    let mut service = TestApp::builder(&database).launch_process();
    service.logged("another process migrates").await;
    service.terminate();
    assert!(timeout(Duration::from_secs(15), service.ended()).await.is_ok(), "it goes on");
}

/// What became of a request on a connection of its own.
#[derive(Debug, PartialEq)]
enum Fate {
    Answered,
    Refused,
    Cut,
}

fn attempt(port: u16) -> Fate {
    let mut connection = match TcpStream::connect(("127.0.0.1", port)) {
        Ok(connection) => connection,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Fate::Refused,
        Err(error) => panic!("{error}"),
    };
    let mut answer = String::new();
    let asked =
        connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    match asked.and_then(|()| connection.read_to_string(&mut answer)) {
        Ok(_) if answer.starts_with("HTTP/1.1 200") => Fate::Answered,
        _ => Fate::Cut,
    }
}

/// A load balancer that checks no health goes on connecting until it is refused.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_stop_cuts_no_connection_that_it_let_in() {
    const CLIENTS: usize = 16;
    let database = TestDatabase::new(Engine::Sqlite);
    let delay = [("USERSYNC_SHUTDOWN_DELAY", "1s")];
    let mut service = TestApp::builder(&database).variables(&delay).start_process().await;
    let port = service.port;
    for _ in 0..3 {
        let client = || {
            tokio::task::spawn_blocking(move || {
                std::iter::repeat_with(|| attempt(port))
                    .find(|fate| *fate != Fate::Answered)
                    .unwrap()
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| client()).collect();
        service.terminate();
        for client in clients {
            assert_eq!(client.await.unwrap(), Fate::Refused);
        }
        assert!(service.ended().await.success());
        service.start_again();
        service.until_ready().await;
    }
}

/// As a load balancer sends it, which noticed the open port before the first answer of `/readyz`.
#[tokio::test]
async fn a_delivery_to_a_service_that_starts_waits_until_the_database_is_prepared() {
    // The lock is one for all services of a server's database.
    let cluster = Cluster::start();
    let database = TestDatabase::on_server(&cluster.url);
    let mut other = database.connect();
    other.batch_execute("SELECT pg_advisory_lock(x'7573657273796e63'::bigint)").unwrap();
    let service = TestApp::builder(&database).launch_process();
    service.logged("another process migrates").await;
    let waiting = post(&service, 1);
    service.get("/readyz").await.assert_unavailable("not_running");
    drop(other);
    assert_eq!(waiting.await.unwrap().outcome(), "applied");
}

fn post(service: &AppProcess, number: usize) -> JoinHandle<Answer> {
    service.spawn(message_id(), user(&user_id(number), 1_000).to_string().into())
}

/// Holds the writer back, with one delivery in its hands; all others wait in the queue.
async fn occupy_writer(
    service: &AppProcess,
    database: &TestDatabase,
) -> (WriterLock, JoinHandle<Answer>) {
    let lock = WriterLock::on(database);
    let first = post(service, WAITING);
    until_true("the writer is at work", async || {
        service.metric("usersync_batch_size_count").await == 1
    })
    .await;
    (lock, first)
}

async fn until_all_wait(service: &AppProcess) {
    until_true("the deliveries wait", async || {
        let depth = service.metric("usersync_queue_depth").await;
        usize::try_from(depth).unwrap() == WAITING
    })
    .await;
}
