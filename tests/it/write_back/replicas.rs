//! Replicas at work together, and killed.

use crate::support::{
    ADMIN_TOKEN, Blocked, Chance, Cluster, Engine, Relay, Replica, Service, TestDatabase, emulator,
    event_of, provider_variables, until,
};
use clerk_emulator::Emulator;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// A killed worker's leases end after 20 s.
const WITHIN: Duration = Duration::from_secs(90);

/// How many calls one replica has under way.
const AT_ONCE: usize = 8;

fn sign_up(emulator: &Emulator, number: usize) -> Value {
    emulator.create_user(json!({"first_name": format!("User{number}")}))
}

async fn drained(database: &TestDatabase) {
    until("all is written back", WITHIN, async || {
        (database.count("write_backs") == 0).then_some(())
    })
    .await;
}

/// Every user holds the id of its row, and a role; returns how many calls it took.
fn told(emulator: &Emulator, database: &TestDatabase) -> usize {
    let rows = database.query("SELECT external_id || ' ' || id AS value FROM users ORDER BY 1");
    let rows: Vec<String> = rows.into_iter().flatten().collect();
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

/// On both engines at once: most of the time is spent waiting for the leases of the dead.
#[tokio::test]
async fn every_user_is_told_though_the_process_is_killed() {
    tokio::join!(told_though_killed(Engine::Postgres), told_though_killed(Engine::Sqlite));
}

async fn told_though_killed(engine: Engine) {
    const USERS: usize = 60;
    const KILLS: usize = 3;
    let (database, emulator) = (TestDatabase::new(engine), emulator());
    let relay = Relay::to(&emulator);
    let mut own = provider_variables(&emulator);
    own.push(("CLERK_API_URL".into(), relay.url.clone()));
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
    let mut service = Service::start_with(&database, &own).await;
    emulator.deliver_to(Some(service.sender().url));
    for kill in 0..KILLS {
        for number in 0..USERS / KILLS {
            sign_up(&emulator, number);
        }
        // Once before the calls have their effect, and twice behind it.
        relay.block(if kill == 1 { Blocked::Writes } else { Blocked::WriteAnswers });
        emulator.settled().await;
        relay.until_held(AT_ONCE / 2).await;
        service.kill();
        relay.block(Blocked::Nothing);
        service.start_again();
        service.until_ready().await;
    }
    emulator.settled().await;
    drained(&database).await;
    let calls = told(&emulator, &database);
    assert!((USERS..=USERS + KILLS * AT_ONCE).contains(&calls), "{calls}");
    let repeated = emulator.issued_ids().iter().map(|id| emulator.metadata_writes(id)).max();
    assert!(repeated.unwrap() <= 2, "a lost answer is looked for before anything is sent again");
}

#[tokio::test]
async fn three_replicas_make_exactly_one_call_a_user() {
    const USERS: usize = 150;
    let (database, emulator) = (TestDatabase::new(Engine::Postgres), emulator());
    let own = provider_variables(&emulator);
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
    let replicas = Replica::start_many_with(3, &database, &own).await;
    emulator.deliver_to(Some(replicas[0].sender.url.clone()));
    for number in 0..USERS {
        let user = sign_up(&emulator, number);
        replicas[number % 3].sender.send(&event_of(&user)).await;
    }
    emulator.settled().await;
    drained(&database).await;
    emulator.settled().await;
    assert_eq!(told(&emulator, &database), USERS);
    for replica in replicas {
        replica.stop().await;
    }
}

/// Events, choices, resyncs and write-backs of few users through three replicas at once: all
/// lock users first and write-backs second, so nobody waits for anybody in a circle.
#[tokio::test]
async fn hot_users_cause_no_deadlock_and_end_right() {
    const USERS: usize = 12;
    const ROUNDS: usize = 40;
    let cluster = Cluster::start();
    let (database, emulator) = (TestDatabase::on_server(&cluster.url), Arc::new(emulator()));
    let own = provider_variables(&emulator);
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
    let replicas = Arc::new(Replica::start_many_with(3, &database, &own).await);
    emulator.deliver_to(Some(replicas[0].sender.url.clone()));
    let ids: Arc<Vec<String>> = Arc::new(
        (0..USERS)
            .map(|number| sign_up(&emulator, number)["id"].as_str().unwrap().to_owned())
            .collect(),
    );
    emulator.settled().await;
    let mut load = JoinSet::new();
    for seed in 0..8 {
        let (replicas, ids, emulator) =
            (Arc::clone(&replicas), Arc::clone(&ids), Arc::clone(&emulator));
        load.spawn(async move {
            let mut chance = Chance::seeded(seed);
            for round in 0..ROUNDS {
                let replica = &replicas[chance.below(3)];
                let id = &ids[chance.below(USERS)];
                if seed == 0 && round % 4 == 0 {
                    choose(replica, id, ["user", "admin"][chance.below(2)]).await;
                } else if seed == 1 && round % 10 == 0 {
                    ask(replica, "POST", "/v1/reconcile", &json!({"user_ids": [id]})).await;
                } else {
                    let name = json!({"last_name": format!("{seed}-{round}")});
                    let user = emulator.update_user(id, name).unwrap();
                    assert_eq!(replica.sender.send(&event_of(&user)).await.status, 200);
                }
            }
        });
    }
    load.join_all().await;
    emulator.settled().await;
    drained(&database).await;
    emulator.settled().await;
    told(&emulator, &database);
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
    for replica in Arc::into_inner(replicas).unwrap() {
        replica.stop().await;
    }
    let deadlocks = "SELECT sum(deadlocks)::text AS value FROM pg_stat_database";
    assert_eq!(database.query(deadlocks), [Some("0".into())]);
}

async fn choose(replica: &Replica, id: &str, role: &str) {
    ask(replica, "PATCH", &format!("/v1/users/{id}"), &json!({"role": role})).await;
}

async fn ask(replica: &Replica, method: &str, path: &str, body: &Value) {
    let method = method.parse().unwrap();
    let request = replica.sender.client.request(method, format!("{}{path}", replica.origin));
    let answer = request.bearer_auth(ADMIN_TOKEN).body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
}
