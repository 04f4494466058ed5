//! Every order of six deliveries, one after the other and split into batches.

use super::{Post, model, post_together, table};
use crate::support::{Engine, TestApp, TestClient, deleted, user, user_id};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

/// How many deliveries there are of a user, and their orders.
const DELIVERIES: usize = 6;
const ORDERS: usize = 720;

const AT_ONCE: usize = 48;

/// How the deliveries of a user are split into groups that are sent at the same moment.
/// Every order goes one by one, and by one of the others besides.
const ONE_BY_ONE: &[usize] = &[1, 1, 1, 1, 1, 1];
const OTHERS: [&[usize]; 4] = [&[2, 2, 2], &[3, 3], &[1, 4, 1], &[6]];

/// A user, the events of its deliveries in their order, and the groups they come in.
struct OrderCase {
    id: String,
    deliveries: Vec<(usize, Value)>,
    groups: &'static [usize],
}

both_engines! {
    async fn every_order_and_split_of_a_life_that_ends_comes_to_one_tombstone(engine) {
        check(engine, |id| {
            let [created, first, second, third, _] = snapshots(id);
            [created, first, second.clone(), third, deleted(id), second]
        }).await;
    }

    async fn every_order_and_split_of_snapshots_comes_to_the_greatest_one(engine) {
        check(engine, |id| {
            let [created, first, second, third, fourth] = snapshots(id);
            [created, first, second.clone(), third, fourth, second]
        }).await;
    }
}

/// A creation, a later update, and three updates of one later millisecond: two of them sent
/// at the same moment, one before. The latest sign-in is not in the greatest snapshot.
fn snapshots(id: &str) -> [Value; 5] {
    // Far ahead of every clock of ours: events are dated by the provider's.
    const START: i64 = 4_000_000_000_000;
    let snapshot = |updated_at, sent_at, role: Value, sign_in: Value, name: &str| {
        let mut event = user(id, START + updated_at);
        event["timestamp"] = json!(START + sent_at);
        event["data"]["public_metadata"] = json!({ "role": role });
        event["data"]["last_sign_in_at"] = sign_in;
        event["data"]["first_name"] = json!(name);
        event
    };
    let mut created = snapshot(0, 0, Value::Null, Value::Null, "Ada");
    created["type"] = "user.created".into();
    [
        created,
        snapshot(1, 1, json!("admin"), json!(START + 9), "Ada"),
        snapshot(2, 3, Value::Null, json!(START + 7), "Grace"),
        snapshot(2, 3, json!("admin"), json!(START + 5), "Ada"),
        snapshot(2, 2, json!("wizard"), Value::Null, "Ada"),
    ]
}

/// Delivers all cases, and compares every row with the model's.
async fn check(engine: Engine, life: impl Fn(&str) -> [Value; DELIVERIES]) {
    let app = TestApp::start(engine).await;
    let cases: Vec<OrderCase> = cases(life);
    let expected: Vec<(String, Value)> =
        cases.iter().map(|case| (case.id.clone(), model::row(&case.id, &case.events()))).collect();
    let deliveries = cases.into_iter().map(|case| case.deliver(&app.client));
    stream::iter(deliveries).buffer_unordered(AT_ONCE).collect::<()>().await;
    let rows = table::rows(&app.database, "true");
    assert_eq!(rows.len(), expected.len());
    for (id, row) in expected {
        assert_eq!(rows[&id], row, "{id}");
    }
    assert_eq!(app.database.count("quarantine"), 0);
}

fn cases(life: impl Fn(&str) -> [Value; DELIVERIES]) -> Vec<OrderCase> {
    let splits = |order: usize| [ONE_BY_ONE, OTHERS[order % OTHERS.len()]];
    let numbers = (0..ORDERS).flat_map(|order| splits(order).map(|groups| (order, groups)));
    numbers
        .enumerate()
        .map(|(number, (order, groups))| {
            let id = user_id(number);
            let events: Vec<(usize, Value)> = life(&id).into_iter().enumerate().collect();
            let deliveries = permutation(order).map(|place| events[place].clone());
            OrderCase { id, deliveries: deliveries.to_vec(), groups }
        })
        .collect()
}

/// The order of the given number: a different one for each number below 720.
fn permutation(mut number: usize) -> [usize; DELIVERIES] {
    let mut left: Vec<usize> = (0..DELIVERIES).collect();
    [6, 5, 4, 3, 2, 1].map(|count| {
        let chosen = number % count;
        number /= count;
        left.remove(chosen)
    })
}

impl OrderCase {
    fn events(&self) -> Vec<Value> {
        let deliveries = self.deliveries.iter();
        deliveries.map(|(_, event)| event.clone()).collect()
    }

    /// The sixth delivery repeats the message of the third.
    async fn deliver(self, sender: &TestClient) {
        let mut posts = self.deliveries.into_iter().map(|(place, event)| Post {
            sender: sender.clone(),
            message: format!("msg_{}_{}", self.id, if place == 5 { 2 } else { place }),
            event,
        });
        for size in self.groups {
            let group: Vec<Post> = posts.by_ref().take(*size).collect();
            post_together(group).await;
        }
    }
}
