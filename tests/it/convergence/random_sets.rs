//! Random sets of events, in random order, repeated and split at random, over replicas.
//!
//! A failing case is shrunk and printed. `PROPTEST_RNG_SEED` makes a run one that can be
//! repeated, and `PROPTEST_CASES` sets how many cases there are (256 by default).

use super::{Post, check_cases, model, post_together, table};
use crate::support::{Engine, TestApp, TestDatabase, user_id};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use std::cell::Cell;

const MOST_EVENTS: usize = 12;
const MOST_REPEATS: usize = 6;

/// One delivery of one event: its place in the order, where it goes, and whether it waits
/// until all before it are settled.
#[derive(Clone, Debug)]
struct Dispatch {
    event: Index,
    place: u32,
    replica: Index,
    waits: bool,
}

/// A set of events of one user, and how they are delivered.
#[derive(Clone, Debug)]
struct SetCase {
    events: Vec<Value>,
    firsts: Vec<Dispatch>,
    repeats: Vec<Dispatch>,
}

#[test]
fn random_sets_come_to_one_state_over_three_replicas_on_postgres() {
    check(Engine::Postgres, 3);
}

#[test]
fn random_sets_come_to_one_state_over_two_services_on_one_sqlite_file() {
    check(Engine::Sqlite, 2);
}

/// Runs all cases on the same replicas, each with a user of its own.
fn check(engine: Engine, replicas: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = TestDatabase::new(engine);
    let replicas = runtime.block_on(TestApp::builder(&database).start_many(replicas));
    let number = Cell::new(0);
    check_cases(&case(), |case| {
        number.set(number.get() + 1);
        let id = user_id(number.get());
        let expected = case.expected(&id);
        runtime.block_on(case.deliver(&id, &replicas));
        let mut rows = table::rows(&database, &format!("external_id = '{id}'"));
        prop_assert_eq!(rows.remove(&id), Some(expected));
        Ok(())
    });
    assert_eq!(database.count("quarantine"), 0);
    for replica in replicas {
        runtime.block_on(replica.stop());
    }
}

impl SetCase {
    fn events(&self, id: &str) -> Vec<Value> {
        let named = |mut event: Value| {
            event["data"]["id"] = json!(id);
            event
        };
        self.events.iter().cloned().map(named).collect()
    }

    fn expected(&self, id: &str) -> Value {
        model::row(id, &self.events(id))
    }

    /// Every event once, the repeats besides, in the order of their places.
    fn deliveries(&self) -> Vec<(usize, &Dispatch)> {
        let firsts = self.firsts.iter().take(self.events.len()).enumerate();
        let repeats = self.repeats.iter();
        let repeats = repeats.map(|repeat| (repeat.event.index(self.events.len()), repeat));
        let mut all: Vec<(usize, &Dispatch)> = firsts.chain(repeats).collect();
        all.sort_by_key(|(_, delivery)| delivery.place);
        all
    }

    async fn deliver(&self, id: &str, replicas: &[TestApp]) {
        let events = self.events(id);
        let mut group = Vec::new();
        for (event, delivery) in self.deliveries() {
            if delivery.waits {
                post_together(std::mem::take(&mut group)).await;
            }
            group.push(Post {
                sender: delivery.replica.get(replicas).client.clone(),
                message: format!("msg_{id}_{event}"),
                event: events[event].clone(),
            });
        }
        post_together(group).await;
    }
}

fn case() -> impl Strategy<Value = SetCase> {
    let firsts = prop::collection::vec(delivery(), MOST_EVENTS);
    let repeats = prop::collection::vec(delivery(), 0..=MOST_REPEATS);
    let events = prop::collection::vec(event(), 1..=MOST_EVENTS);
    (events, firsts, repeats).prop_map(|(events, firsts, repeats)| SetCase {
        events,
        firsts,
        repeats,
    })
}

fn delivery() -> impl Strategy<Value = Dispatch> {
    let parts = (any::<Index>(), any::<u32>(), any::<Index>(), any::<bool>());
    parts.prop_map(|(event, place, replica, waits)| Dispatch { event, place, replica, waits })
}

/// Few values of each field, so that versions collide; deletions are rare, since they decide
/// everything. Times in seconds and milliseconds, fields absent, null and blank are among
/// them. How long a lock lasts follows from the moment of sending, as it does in reality.
fn event() -> impl Strategy<Value = Value> {
    let version = (0..4_i64, 0..5_i64);
    let names = (0..4_usize, 0..3_usize, 0..3_usize);
    let rest = (0..5_usize, 0..4_usize, 0..4_usize, 0..6_i64);
    (0..24_u8, version, names, rest).prop_map(|(kind, version, names, rest)| match kind {
        0 => json!({"type": "user.deleted", "data": {"deleted": true}}),
        1..=4 => snapshot("user.created", version, names, rest),
        _ => snapshot("user.updated", version, names, rest),
    })
}

fn snapshot(
    kind: &str,
    (updated_at, sent_at): (i64, i64),
    (first, last, username): (usize, usize, usize),
    (metadata, contact, state, sign_in): (usize, usize, usize, i64),
) -> Value {
    const START: i64 = 1_700_000_000_000;
    let maybe = |number: i64| (number > 0).then_some(START + number * 1000);
    // The fourth is the first again, in seconds.
    let (timestamp, sent_at) = match sent_at {
        4 => (json!(START / 1000 + 1), 1),
        other => (json!(maybe(other)), other),
    };
    let metadatas = [
        Value::Null,
        json!({}),
        json!({"role": "admin", "plan": "gold"}),
        json!({"role": "wizard", "theme": {"dark": true}}),
        json!({"role": 7, "plan": " "}),
    ];
    let address = |id: &str, status: &str| json!({"id": id, "email_address": format!("{id}@Example.org"), "verification": {"status": status}});
    let contacts = [
        json!([]),
        json!([address("idn_1", "verified")]),
        json!([address("idn_1", "unverified"), address("idn_2", "verified")]),
        json!([address("idn_3", "unverified")]),
    ];
    json!({
        "type": kind,
        "timestamp": timestamp,
        "data": {
            "updated_at": maybe(updated_at),
            "created_at": START,
            "last_sign_in_at": maybe(sign_in),
            "first_name": ([None, Some("Ada"), Some(" Grace "), Some("")][first]),
            "last_name": ([None, Some("Lovelace"), Some("Hopper")][last]),
            "username": ([None, Some("ada"), Some("grace")][username]),
            "public_metadata": (metadatas[metadata]),
            "primary_email_address_id": "idn_1",
            "email_addresses": (contacts[contact]),
            "banned": state == 2,
            "locked": state >= 2,
            "lockout_expires_in_seconds": (state >= 2).then_some(60 * sent_at),
        },
    })
}
