//! Pages are written while replicas write the same users: no deadlock, and all end right.

use super::{live, there};
use crate::support::{
    Cluster, Rng, TestApp, TestDatabase, TestEmulator, all_stopped, event_of, until_true,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

const USERS: usize = 400;
const SENDERS: u64 = 8;
const ROUNDS: usize = 4;

async fn run(replica: &TestApp, kind: &str) -> Value {
    let job = replica.finish_job(json!({ "kind": kind })).await;
    assert_eq!(job["counters"]["failed"], 0, "{job}");
    job
}

async fn tell(
    seed: u64,
    replicas: Arc<Vec<TestApp>>,
    emulator: TestEmulator,
    enough: Arc<AtomicBool>,
) -> usize {
    let (mut rng, ids) = (Rng::seeded(seed), emulator.issued_ids());
    let mut sent = 0;
    while !enough.load(Ordering::Relaxed) {
        let id = &ids[rng.below(ids.len())];
        let name = json!({"last_name": format!("{seed}-{sent}")});
        let user = emulator.update_user(id, name).unwrap();
        let replica = &replicas[rng.below(replicas.len())];
        let answer = replica.client.send(&event_of(&user)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        sent += 1;
    }
    sent
}

#[tokio::test]
async fn jobs_and_the_webhooks_of_three_replicas_cause_no_deadlock_and_end_right() {
    crate::support::run(async {
        let cluster = Cluster::start();
        let (database, emulator) =
            (TestDatabase::on_server(&cluster.url), TestEmulator::with_users(USERS));
        let replicas =
            Arc::new(TestApp::builder(&database).emulator(&emulator).start_many(3).await);
        let enough = Arc::new(AtomicBool::new(false));
        let mut load = JoinSet::new();
        for seed in 0..SENDERS {
            let (replicas, emulator) = (Arc::clone(&replicas), emulator.clone());
            load.spawn(tell(seed, replicas, emulator, Arc::clone(&enough)));
        }
        for round in 0..ROUNDS {
            // Without events, so that each job has much to write.
            for id in emulator.issued_ids() {
                emulator.update_user(&id, json!({"first_name": format!("Round{round}")})).unwrap();
            }
            let kind = if round % 2 == 0 { "backfill" } else { "reconcile" };
            assert_eq!(run(&replicas[round % 3], kind).await["counters"]["seen"], USERS);
        }
        enough.store(true, Ordering::Relaxed);
        let sent: usize = load.join_all().await.into_iter().sum();
        assert!(sent > ROUNDS * USERS / 10, "the webhooks were at it: {sent}");
        until_true("all is written back", async || database.count("write_backs") == 0).await;
        run(&replicas[0], "reconcile").await;
        assert_eq!(live(&database), there(&emulator));
        // A server counts them when sessions end.
        drop(replicas);
        all_stopped().await;
        let deadlocks = "SELECT sum(deadlocks)::text AS value FROM pg_stat_database";
        assert_eq!(database.query(deadlocks), [Some("0".into())]);
    })
    .await;
}
