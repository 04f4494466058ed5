//! Slow and silent clients cost little, leave others served, and are disconnected.

use crate::support::{
    AppProcess, SlowClients, TestApp, TestDatabase, deleted, until, user, user_id,
};
use std::time::{Duration, Instant};

const IDLE: usize = 1_000;
const SLOW_HEADERS: usize = 100;
const SLOW_BODIES: usize = 100;

/// A delivery does not wait until a slow client is let go, which is after 10 s.
const SERVED_WITHIN: Duration = Duration::from_secs(9);

/// What a debug build may hold in memory then.
const MOST_RESIDENT_KIB: usize = 128 * 1024;

both_engines! {
    async fn slow_and_idle_clients_leave_others_served_and_are_let_go(engine) {
        let database = TestDatabase::new(engine);
        let service = TestApp::builder(&database).start_process().await;
        let files_before = service.open_files();
        let clients = SlowClients::connect(service.port, IDLE, SLOW_HEADERS, SLOW_BODIES);
        until("all are connected", async || {
            let connected = service.open_files() - files_before;
            (connected >= IDLE + SLOW_HEADERS + SLOW_BODIES).then_some(())
        })
        .await;
        for number in 0..25 {
            serve_one(&service, number).await;
        }
        let resident = service.resident_kib();
        assert!(resident < MOST_RESIDENT_KIB, "{resident} KiB");
        until("the slow clients are let go", async || {
            let connected = service.open_files().saturating_sub(files_before);
            (connected < 50).then_some(())
        })
        .await;
        drop(clients);
        assert_eq!(database.count("webhook_events"), 50);
    }
}

/// An update and a deletion of one user, by a client that is as it should be.
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
