//! A stop finishes what waits; a client that goes away loses nothing.

use crate::support::{
    Answer, AppProcess, Delivery, TestApp, TestDatabase, WriterLock, message_id, until_true, user,
    user_id,
};
use std::io::Write as _;
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
