//! Nothing acknowledged is lost, whatever dies: the service, the database, or neither.

mod plan;
mod senders;

use crate::support::{Cluster, Engine, Rng, TestApp, TestDatabase, user_id};
use plan::Plan;
use senders::{Senders, Tolerance};
use std::sync::Arc;

const EVENTS: usize = 20_000;
const USERS: usize = 2_000;
const SENDERS: usize = 32;
const KILLS: usize = 8;
const RESTARTS: usize = 4;

both_engines! {
    async fn no_acknowledged_event_is_lost_when_the_service_is_killed(engine) {
        let mut rng = Rng::seeded(1);
        let plan = Arc::new(Plan::new(EVENTS, USERS, &mut rng));
        let kills = plan.moments(KILLS, &mut rng);
        let database = TestDatabase::new(engine);
        let mut service = TestApp::builder(&database).start_process().await;
        let mut senders = Senders::start(SENDERS, &plan, &service.client.clone(), Tolerance::Connections);
        for acknowledged in 1..=EVENTS {
            assert!(senders.acknowledged().await, "{acknowledged}");
            if kills.contains(&acknowledged) {
                service.kill();
                service.start_again();
            }
        }
        let failed = senders.failed_attempts().await;
        assert!(failed >= KILLS, "the kills interrupted no sender: {failed}");
        plan.check(&database);
    }
}

#[tokio::test]
async fn no_acknowledged_event_is_lost_when_postgres_crashes_and_the_service_recovers_by_itself() {
    let mut rng = Rng::seeded(2);
    let plan = Arc::new(Plan::new(EVENTS, USERS, &mut rng));
    let restarts = plan.moments(RESTARTS, &mut rng);
    let cluster = Arc::new(Cluster::start());
    let database = TestDatabase::on_server(&cluster.url);
    let service = TestApp::builder(&database).start_process().await;
    let mut senders = Senders::start(SENDERS, &plan, &service.client.clone(), Tolerance::Refusals);
    let mut modes = ["immediate", "fast"].into_iter().cycle();
    for acknowledged in 1..=EVENTS {
        assert!(senders.acknowledged().await, "{acknowledged}");
        if restarts.contains(&acknowledged) {
            let (cluster, mode) = (Arc::clone(&cluster), modes.next().unwrap());
            let restart = tokio::task::spawn_blocking(move || cluster.restart(mode));
            restart.await.unwrap();
        }
    }
    let failed = senders.failed_attempts().await;
    assert!(failed >= RESTARTS, "the crashes concerned no sender: {failed}");
    plan.check(&database);
}

/// Few users, so that every batch of a replica meets those of the others, and each message
/// goes to all three at the same moment.
#[tokio::test]
async fn three_replicas_that_write_the_same_users_refuse_nothing_and_agree() {
    crate::support::run(async {
        const MESSAGES: usize = 3_000;
        const HOT_USERS: usize = 50;
        let plan = Arc::new(Plan::new(MESSAGES, HOT_USERS, &mut Rng::seeded(3)));
        let database = TestDatabase::new(Engine::Postgres);
        let replicas = TestApp::builder(&database).start_many(3).await;
        let mut senders: Vec<Senders> = replicas
            .iter()
            .map(|replica| Senders::start(SENDERS, &plan, &replica.client, Tolerance::Nothing))
            .collect();
        for senders in &mut senders {
            while senders.acknowledged().await {}
        }
        for senders in senders {
            assert_eq!(senders.failed_attempts().await, 0);
        }
        plan.check(&database);
    })
    .await;
}

#[test]
fn the_plan_would_notice_a_lost_event() {
    let plan = Plan::new(100, 10, &mut Rng::seeded(4));
    let ends = plan.expected.iter().filter(|line| line.contains("deleted"));
    assert_eq!((plan.expected.len(), ends.count()), (10, 1));
    assert!(plan.expected.contains(&format!("{} deleted -", user_id(0))));
}
