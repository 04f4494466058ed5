//! The queue is bounded by bytes: beyond, a client gets 503 at once. Slow and silent clients cost
//! little, leave others served, and are disconnected.

use super::assert_turned_away;
use crate::support::{
    Answer, AppProcess, HANGS_AFTER, SlowClients, TestApp, TestDatabase, WriterLock, deleted,
    message_id, until_soon, until_true, user, user_id,
};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// A body just below the limit of 1 MiB; 64 MiB of them may wait.
const BODY_BYTES: usize = 1_000_000;
const ROOM: usize = 67;

/// Half of the room: what is being read at the same moment must not reach a limit of its own.
const WAVE: usize = 33;

/// Sends more than the queue has room for, while the writer is held back; returns the
/// answers to the last wave, of which those beyond the room come at once.
async fn fill(service: &AppProcess) -> Vec<Answer> {
    let plug = service.spawn(message_id(), user(&user_id(1), 1).to_string().into_bytes());
    let mut waiting = vec![plug];
    for wave in 1..=2 {
        waiting.extend((0..WAVE).map(|_| service.spawn(message_id(), ignored())));
        until_true("the wave waits, or was turned away", async || {
            let depth = service.metric("usersync_queue_depth").await;
            let arrived = depth >= i64::try_from(wave * WAVE - 1).unwrap();
            let turned_away = waiting.iter().any(JoinHandle::is_finished);
            arrived || turned_away
        })
        .await;
    }
    let beyond: Vec<_> = (0..ROOM / 4).map(|_| service.spawn(message_id(), ignored())).collect();
    let mut answers = Vec::new();
    for task in beyond {
        answers.push(task.await.unwrap());
    }
    for task in waiting {
        assert!([200, 503].contains(&task.await.unwrap().status.as_u16()));
    }
    answers
}

/// An event of a type that is none of ours: its bytes count all the same.
fn ignored() -> Vec<u8> {
    let filling = "x".repeat(BODY_BYTES);
    format!(r#"{{"type":"email.created","data":"{filling}"}}"#).into_bytes()
}

const IDLE: usize = 1_000;
const SLOW_HEADERS: usize = 100;
const SLOW_BODIES: usize = 100;

/// A delivery does not wait until a slow client is let go, which is after 10 s.
const SERVED_WITHIN: Duration = Duration::from_secs(9);

/// What a debug build may hold in memory then.
const MOST_RESIDENT_KIB: usize = 128 * 1024;

both_engines! {
    async fn a_full_queue_answers_503_with_retry_after_and_recovers(engine) {
        let database = TestDatabase::new(engine);
        let service = TestApp::builder(&database).start_process().await;
        let started = Instant::now();
        let refused = loop {
            // The database gives a lock up after some seconds: a slow machine needs more rounds.
            let lock = WriterLock::on(&database);
            let answers = fill(&service).await;
            lock.release();
            let mut answers = answers.into_iter();
            if let Some(full) = answers.find(|answer| answer.status == 503 && answer.code() == "queue_full") {
                break full;
            }
            assert!(started.elapsed() < HANGS_AFTER, "the queue never filled");
        };
        assert_turned_away(&refused, "queue_full");
        until_true("deliveries are accepted again", async || service.send(&user(&user_id(1), 1_000)).await.status == 200).await;
    }

    async fn slow_and_idle_clients_leave_others_served_and_are_let_go(engine) {
        let database = TestDatabase::new(engine);
        let service = TestApp::builder(&database).start_process().await;
        let files_before = service.open_files();
        let clients = SlowClients::connect(service.port, IDLE, SLOW_HEADERS, SLOW_BODIES);
        until_true("all are connected", async || {
            service.open_files() - files_before >= IDLE + SLOW_HEADERS + SLOW_BODIES
        })
        .await;
        for number in 0..25 {
            serve_one(&service, number).await;
        }
        let resident = service.resident_kib();
        assert!(resident < MOST_RESIDENT_KIB, "{resident} KiB");
        until_soon("the slow clients are let go", async || {
            service.open_files().saturating_sub(files_before) < 50
        })
        .await;
        drop(clients);
        assert_eq!(database.count("webhook_events"), 50);
    }
}

async fn serve_one(service: &AppProcess, number: usize) {
    let id = user_id(number);
    for event in [user(&id, 1_000), deleted(&id)] {
        let started = Instant::now();
        let answer = service.send(&event).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let elapsed = started.elapsed();
        assert!(elapsed < SERVED_WITHIN, "{elapsed:?}");
    }
}
