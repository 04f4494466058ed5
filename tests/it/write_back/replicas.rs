//! Replicas together, and killed.

use crate::support::{
    Blocked, Cluster, Engine, Proxy, Rng, TestApp, TestDatabase, TestEmulator, all_stopped,
    event_of,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

const AT_ONCE: usize = 8;

fn sign_up(emulator: &TestEmulator, number: usize) -> Value {
    emulator.create_user(json!({"first_name": format!("User{number}")}))
}

/// Checks that every user holds the id of its row, and a role; returns how many calls it took.
fn assert_written_back(emulator: &TestEmulator, database: &TestDatabase) -> usize {
    let rows = database.texts("SELECT external_id || ' ' || id AS value FROM users ORDER BY 1");
    let mut held: Vec<String> = Vec::new();
    for user in emulator.users() {
        let metadata = &user["public_metadata"];
        assert!(metadata["role"].is_string(), "{user}");
        let (id, ours) = (user["id"].as_str().unwrap(), metadata["dbId"].as_str().unwrap());
        held.push(format!("{id} {ours}"));
    }
    held.sort_unstable();
    assert_eq!(rows, held);
    emulator.issued_ids().iter().map(|id| emulator.metadata_writes(id)).sum()
}

/// On both engines at once: most of the time is spent waiting for leases to end.
#[tokio::test]
async fn every_user_is_written_back_though_the_process_is_killed() {
    tokio::join!(
        written_back_though_killed(Engine::Postgres),
        written_back_though_killed(Engine::Sqlite)
    );
}

async fn written_back_though_killed(engine: Engine) {
    const USERS: usize = 60;
    const KILLS: usize = 3;
    let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
    let proxy = Proxy::to(&emulator);
    let builder = TestApp::builder(&database).emulator(&emulator).behind(&proxy);
    let mut service = builder.start_process().await;
    emulator.deliver_to(Some(service.url.clone()));
    for kill in 0..KILLS {
        for number in 0..USERS / KILLS {
            sign_up(&emulator, number);
        }
        // Once before the calls have their effect, and twice behind it.
        proxy.block(if kill == 1 { Blocked::Writes } else { Blocked::WriteAnswers });
        emulator.wait_until_idle().await;
        proxy.until_held(AT_ONCE / 2).await;
        service.kill();
        proxy.block(Blocked::Nothing);
        service.start_again();
        service.until_ready().await;
    }
    emulator.wait_until_idle().await;
    database.until_none("write_backs").await;
    let calls = assert_written_back(&emulator, &database);
    assert!((USERS..=USERS + KILLS * AT_ONCE).contains(&calls), "{calls}");
    let repeated = emulator.issued_ids().iter().map(|id| emulator.metadata_writes(id)).max();
    assert!(repeated.unwrap() <= 2, "a lost answer is looked for before anything is sent again");
}

#[tokio::test]
async fn three_replicas_make_exactly_one_call_a_user() {
    crate::support::run(async {
        const USERS: usize = 150;
        let (database, emulator) = (TestDatabase::new(Engine::Postgres), TestEmulator::start());
        let replicas = TestApp::builder(&database).emulator(&emulator).start_many(3).await;
        emulator.deliver_to(Some(replicas[0].client.url.clone()));
        for number in 0..USERS {
            let user = sign_up(&emulator, number);
            replicas[number % 3].client.send(&event_of(&user)).await;
        }
        emulator.wait_until_idle().await;
        database.until_none("write_backs").await;
        emulator.wait_until_idle().await;
        assert_eq!(assert_written_back(&emulator, &database), USERS);
    })
    .await;
}

/// Events, overrides, resyncs and write-backs of few users through three replicas at once: all
/// lock users first and write-backs second, so there is no deadlock.
#[tokio::test]
async fn hot_users_cause_no_deadlock_and_end_right() {
    crate::support::run(async {
    const USERS: usize = 12;
    const ROUNDS: usize = 40;
    let cluster = Cluster::start();
    let (database, emulator) = (TestDatabase::on_server(&cluster.url), TestEmulator::start());
    let replicas = Arc::new(TestApp::builder(&database).emulator(&emulator).start_many(3).await);
    emulator.deliver_to(Some(replicas[0].client.url.clone()));
    let ids: Arc<Vec<String>> = Arc::new(
        (0..USERS)
            .map(|number| sign_up(&emulator, number)["id"].as_str().unwrap().to_owned())
            .collect(),
    );
    emulator.wait_until_idle().await;
    let mut load = JoinSet::new();
    for seed in 0..8 {
        let (replicas, ids, emulator) = (Arc::clone(&replicas), Arc::clone(&ids), emulator.clone());
        load.spawn(async move {
            let mut rng = Rng::seeded(seed);
            for round in 0..ROUNDS {
                let replica = &replicas[rng.below(3)];
                let id = &ids[rng.below(USERS)];
                if seed == 0 && round % 4 == 0 {
                    let role = ["user", "admin"][rng.below(2)];
                    replica.set_override(id, json!({ "role": role })).await;
                } else if seed == 1 && round % 10 == 0 {
                    assert_eq!(replica.resync(&[id]).await.status, 200);
                } else {
                    let name = json!({"last_name": format!("{seed}-{round}")});
                    let user = emulator.update_user(id, name).unwrap();
                    assert_eq!(replica.client.send(&event_of(&user)).await.status, 200);
                }
            }
        });
    }
    load.join_all().await;
    emulator.wait_until_idle().await;
    database.until_none("write_backs").await;
    emulator.wait_until_idle().await;
    assert_written_back(&emulator, &database);
    for id in ids.iter() {
        let user = emulator.user(id).unwrap();
        let expected = format!(
            "{} {} -",
            user["public_metadata"]["role"].as_str().unwrap(),
            user["last_name"].as_str().unwrap_or("-")
        );
        let sql = format!(
            "SELECT role || ' ' || COALESCE(last_name, '-') || ' ' || COALESCE(set_role, '-') AS value FROM users WHERE external_id = '{id}'"
        );
        assert_eq!(database.query(&sql), [Some(expected)]);
    }
    // A server counts them when sessions end.
    drop(replicas);
    all_stopped().await;
    let deadlocks = "SELECT sum(deadlocks)::text AS value FROM pg_stat_database";
    assert_eq!(database.query(deadlocks), [Some("0".into())]);
    })
    .await;
}
