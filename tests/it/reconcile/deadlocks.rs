//! Pages are written while replicas write the same users at full speed: nobody waits for anybody in
//! a circle, and all end right.

use super::{WITHIN, crowd, live, there};
use crate::support::{
    ADMIN_TOKEN, Answer, Chance, Cluster, Replica, TestDatabase, event_of, provider_variables,
    until,
};
use clerk_emulator::Emulator;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

const USERS: usize = 400;
const SENDERS: u64 = 8;
const ROUNDS: usize = 4;

async fn ask(replica: &Replica, method: &str, path: &str, body: &Value) -> Answer {
    let method = method.parse().unwrap();
    let request = replica.sender.client.request(method, format!("{}{path}", replica.origin));
    let request = request.bearer_auth(ADMIN_TOKEN).body(body.to_string());
    Answer::of(request.send().await.unwrap()).await
}

/// A job from its beginning to its end, wherever it runs.
async fn run(replica: &Replica, kind: &str) -> Value {
    let asked = ask(replica, "POST", "/v1/jobs", &json!({ "kind": kind })).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let path = format!("/v1/jobs/{}", asked.body["id"].as_str().unwrap());
    let job = until("the job ends", WITHIN, async || {
        let job = ask(replica, "GET", &path, &Value::Null).await.body;
        let is_active = ["queued", "running"].contains(&job["state"].as_str().unwrap());
        (!is_active).then_some(job)
    })
    .await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["counters"]["failed"], 0, "{job}");
    job
}

/// Changes users at the provider and tells a replica, again and again.
async fn tell(
    seed: u64,
    replicas: Arc<Vec<Replica>>,
    emulator: Arc<Emulator>,
    enough: Arc<AtomicBool>,
) -> usize {
    let (mut chance, ids) = (Chance::seeded(seed), emulator.issued_ids());
    let mut told = 0;
    while !enough.load(Ordering::Relaxed) {
        let id = &ids[chance.below(ids.len())];
        let name = json!({"last_name": format!("{seed}-{told}")});
        let user = emulator.update_user(id, name).unwrap();
        let replica = &replicas[chance.below(replicas.len())];
        let answer = replica.sender.send(&event_of(&user)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        told += 1;
    }
    told
}

#[tokio::test]
async fn jobs_and_the_webhooks_of_three_replicas_cause_no_deadlock_and_end_right() {
    let cluster = Cluster::start();
    let (database, emulator) = (TestDatabase::on_server(&cluster.url), Arc::new(crowd(USERS)));
    let own = provider_variables(&emulator);
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
    let replicas = Arc::new(Replica::start_many_with(3, &database, &own).await);
    let enough = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for seed in 0..SENDERS {
        let (replicas, emulator) = (Arc::clone(&replicas), Arc::clone(&emulator));
        load.spawn(tell(seed, replicas, emulator, Arc::clone(&enough)));
    }
    for round in 0..ROUNDS {
        // Of these nobody is told, so that each job has much to write.
        for id in emulator.issued_ids() {
            emulator.update_user(&id, json!({"first_name": format!("Round{round}")})).unwrap();
        }
        let kind = if round % 2 == 0 { "backfill" } else { "reconcile" };
        assert_eq!(run(&replicas[round % 3], kind).await["counters"]["seen"], USERS);
    }
    enough.store(true, Ordering::Relaxed);
    let told: usize = load.join_all().await.into_iter().sum();
    assert!(told > ROUNDS * USERS / 10, "the webhooks were at it: {told}");
    until("all is written back", WITHIN, async || {
        (database.count("write_backs") == 0).then_some(())
    })
    .await;
    run(&replicas[0], "reconcile").await;
    assert_eq!(live(&database), there(&emulator));
    for replica in Arc::into_inner(replicas).unwrap() {
        replica.stop().await;
    }
    let deadlocks = "SELECT sum(deadlocks)::text AS value FROM pg_stat_database";
    assert_eq!(database.query(deadlocks), [Some("0".into())]);
}
