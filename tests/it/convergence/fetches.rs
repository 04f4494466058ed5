//! Every order of events, snapshots that were fetched and an absence, one after the other and at
//! the same moment: the service applies the events, another replica's store the rest.

use super::{Post, model, post_together, table};
use crate::support::{Engine, TestApp, TestClient, configuration, user_id};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;
use usersync::config::Config;
use usersync::domain::{
    AbsenceBaseline, Change, Origin, Profile, Snapshot, SnapshotTimes, Status, Timestamp, Version,
};
use usersync::store::Store;

/// How many things are seen of a user, and their orders.
const THINGS: usize = 5;
const ORDERS: usize = 120;

const AT_ONCE: usize = 16;

pub(super) const START: i64 = 1_700_000_000_000;

/// What is seen of a user, in its order, and whether that is at one moment.
struct MixedCase {
    id: String,
    things: Vec<Value>,
    together: bool,
}

/// Another replica, as far as it writes what it fetched.
#[derive(Clone)]
pub(super) struct Fetching {
    pub(super) store: Store,
    pub(super) config: Arc<Config>,
}

both_engines! {
    async fn an_absence_that_was_seen_last_empties_the_row(engine) {
        check(engine, [event(1, 1, None), event(2, 9, Some(4)), fetched(2, 5, Some(7)), absence(2, 6), fetched(1, 8, None)]).await;
    }

    async fn a_later_fetch_of_an_equal_snapshot_outlives_the_absence(engine) {
        check(engine, [event(2, 1, Some(9)), fetched(2, 5, None), absence(2, 6), fetched(2, 7, Some(3)), event(1, 8, None)]).await;
    }

    async fn a_greater_updated_at_outlives_the_absence(engine) {
        check(engine, [event(1, 1, None), fetched(2, 5, None), absence(2, 6), event(3, 3, None), fetched(2, 4, None)]).await;
    }

    async fn of_two_absences_and_a_fetch_between_them_the_last_one_counts(engine) {
        check(engine, [event(2, 2, Some(1)), absence(2, 3), fetched(2, 4, None), absence(2, 5), event(2, 9, Some(3))]).await;
    }

    async fn a_signed_deletion_outlives_them_all(engine) {
        check(engine, [event(1, 1, Some(1)), fetched(2, 5, None), absence(2, 6), json!({"type": "user.deleted", "data": {"deleted": true}}), fetched(3, 9, Some(9))]).await;
    }
}

/// A snapshot with its own name and sign-in, so that none is like another.
fn snapshot(kind: &str, (updated_at, seen_at): (i64, i64), sign_in: Option<i64>) -> Value {
    json!({
        "type": kind,
        "timestamp": START + seen_at,
        "data": {
            "updated_at": START + updated_at,
            "created_at": START,
            "last_sign_in_at": sign_in.map(|at| START + at),
            "first_name": format!("{kind} of {updated_at}"),
            "public_metadata": {"role": "admin"},
        },
    })
}

fn event(updated_at: i64, sent_at: i64, sign_in: Option<i64>) -> Value {
    snapshot("user.updated", (updated_at, sent_at), sign_in)
}

fn fetched(updated_at: i64, sent_at: i64, sign_in: Option<i64>) -> Value {
    snapshot("fetched", (updated_at, sent_at), sign_in)
}

fn absence(updated_at: i64, sent_at: i64) -> Value {
    json!({"type": "absence", "timestamp": START + sent_at, "data": {"updated_at": START + updated_at}})
}

/// Commits the set in every order, and compares every row with the model's.
async fn check(engine: Engine, things: [Value; THINGS]) {
    let app = TestApp::start(engine).await;
    let config = Arc::new(configuration(&app.database, &[]));
    let fetching = Fetching { store: Store::new(&config.database), config };
    let cases: Vec<MixedCase> = (0..2 * ORDERS).map(|number| case(number, &things)).collect();
    let expected: Vec<(String, Value)> =
        cases.iter().map(|case| (case.id.clone(), model::row(&case.id, &case.things))).collect();
    let sights = cases.into_iter().map(|case| case.happen(&app.client, &fetching));
    stream::iter(sights).buffer_unordered(AT_ONCE).collect::<()>().await;
    let mut rows = table::rows(&app.database, "true");
    for (id, row) in expected {
        assert_eq!(rows.remove(&id), Some(row), "{id}");
    }
}

/// The things of a user of its own, in the order of the given number.
fn case(number: usize, things: &[Value]) -> MixedCase {
    let id = user_id(number);
    let (mut order, mut left) = (number % ORDERS, things.to_vec());
    let things = (1..=THINGS).rev().map(|count| {
        let chosen = order % count;
        order /= count;
        let mut thing = left.remove(chosen);
        thing["data"]["id"] = json!(id);
        thing
    });
    MixedCase { things: things.collect(), together: number >= ORDERS, id }
}

impl MixedCase {
    async fn happen(self, sender: &TestClient, fetching: &Fetching) {
        let mut under_way = JoinSet::new();
        for (place, thing) in self.things.into_iter().enumerate() {
            let (sender, fetching) = (sender.clone(), fetching.clone());
            let message = format!("msg_{}_{place}", self.id);
            let id = self.id.clone();
            under_way.spawn(async move {
                match thing["type"].as_str().unwrap() {
                    "fetched" | "absence" => fetching.see(&id, &thing).await,
                    _ => post_together([Post { sender, message, event: thing }]).await,
                }
            });
            if !self.together {
                under_way.join_next().await.unwrap().unwrap();
            }
        }
        under_way.join_all().await;
    }
}

impl Fetching {
    async fn see(&self, id: &str, thing: &Value) {
        let now = Timestamp::from(jiff::Timestamp::now());
        let change = self.change(id, thing);
        let effects =
            self.store.apply(self.config.row_defaults(), now, vec![change]).await.unwrap();
        assert_eq!(effects.len(), 1);
    }

    /// What was seen, as it is written. What is neither an absence nor a deletion is a snapshot, of an
    /// event unless it was fetched.
    pub(super) fn change(&self, id: &str, thing: &Value) -> Change {
        let data = &thing["data"];
        let millis = |value: &Value| value.as_i64().and_then(Timestamp::from_millis);
        let (external_id, seen_at) = (id.to_owned(), millis(&thing["timestamp"]));
        if thing["type"] == "absence" {
            let updated_at_ms = data["updated_at"].as_i64().unwrap();
            let baseline = AbsenceBaseline { updated_at_ms, projection: 1 };
            let version = Version::of_absence(baseline, seen_at.unwrap().as_millis());
            return Change::Absence { external_id, version };
        }
        if thing["type"] == "user.deleted" {
            return Change::Deletion { external_id };
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let profile = Profile {
            source_external_id: None,
            email: None,
            email_verified: false,
            phone: None,
            username: None,
            first_name: text(&data["first_name"]),
            last_name: None,
            image_url: None,
            source_id: None,
            source_role: text(&data["public_metadata"]["role"]),
            source_plan: None,
            public_metadata: data["public_metadata"].to_string(),
            status: Status::Active,
            locked_until: None,
            source_created_at: millis(&data["created_at"]),
        };
        let updated_at = millis(&data["updated_at"]);
        let last_sign_in_at = millis(&data["last_sign_in_at"]);
        let times = SnapshotTimes { updated_at, seen_at, last_sign_in_at };
        let words = &self.config.provider.entitlements;
        let origin = if thing["type"] == "fetched" { Origin::Fetch } else { Origin::Event };
        let snapshot = Snapshot::new(external_id, profile, origin, times, words);
        Change::Snapshot(Box::new(snapshot))
    }
}
