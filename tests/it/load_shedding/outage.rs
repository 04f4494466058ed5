//! PostgreSQL is away for a while: clients get 503 in time, and the service recovers by itself.

use super::assert_turned_away;
use crate::support::{
    Answer, Cluster, READ_TOKEN, TestApp, TestDatabase, until_true, user, user_id,
};
use std::time::{Duration, Instant};

const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn while_postgres_is_away_senders_and_readers_hear_it_and_afterwards_it_goes_on() {
    let cluster = Cluster::start();
    let database = TestDatabase::on_server(&cluster.url);
    let service = TestApp::builder(&database).start_process().await;
    let [first, second] = [1, 2].map(user_id);
    let sender = service.client.clone();
    assert_eq!(sender.send(&user(&first, 1_000)).await.status, 200);
    assert_eq!(service.get_as(READ_TOKEN, "/v1/users").await.status, 200);

    cluster.stop();
    let refused = in_time(sender.send(&user(&second, 1_000))).await;
    assert_turned_away(&refused, "database_unavailable");
    let unread = in_time(service.get_as(READ_TOKEN, "/v1/users")).await;
    assert_turned_away(&unread, "database_unavailable");
    assert_eq!(in_time(service.get("/readyz")).await.status, 503);
    assert_eq!(in_time(service.get("/healthz")).await.status, 200);

    cluster.start_again();
    until_true("deliveries are accepted again", async || {
        sender.send(&user(&second, 1_000)).await.status == 200
    })
    .await;
    let users = service.get_as(READ_TOKEN, "/v1/users").await;
    assert_eq!(users.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(database.count("quarantine"), 0);
}

async fn in_time(answer: impl Future<Output = Answer>) -> Answer {
    let started = Instant::now();
    let answer = answer.await;
    let elapsed = started.elapsed();
    assert!(elapsed < ANSWERED_WITHIN, "{elapsed:?}");
    answer
}
