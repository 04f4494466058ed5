//! Pages of jobs and of the watch, absences and events, each seen at one instant and committed at
//! another: whatever the order of commits, the set of things seen decides the rows.
//!
//! A page leaves a row alone that was fetched and shows the same: that is not new, so the set does
//! not hold it. Where the provider never contradicts itself, rows are also compared with the set that
//! holds everything: only the times when the user was seen last may differ.

mod jobs;
mod sight;

use super::{check_cases, model, table};
use crate::support::{Engine, TestDatabase, user_id};
use jobs::{Jobs, Pending, Way};
use proptest::prelude::*;
use serde_json::Value;
use sight::{Sight, sight};
use std::cell::Cell;
use std::sync::Arc;
use tokio::task::JoinSet;

const USERS: usize = 3;
const MOST_SIGHTS: usize = 14;

/// How much later something may be committed than it was seen, in sights.
const MOST_DELAY: usize = 8;

/// What is seen, and how many instants later each is committed; what is due at one instant is
/// committed one after the other, or at the same moment.
#[derive(Clone, Debug)]
struct PageCase {
    sights: Vec<(Sight, usize)>,
    together: bool,
}

fn case() -> impl Strategy<Value = PageCase> {
    let sights = prop::collection::vec((sight(), 0..=MOST_DELAY), 1..=MOST_SIGHTS);
    (sights, any::<bool>()).prop_map(|(sights, together)| PageCase { sights, together })
}

#[test]
fn pages_that_are_committed_late_converge_with_events_and_absences_on_postgres() {
    check(Engine::Postgres);
}

#[test]
fn pages_that_are_committed_late_converge_with_events_and_absences_on_sqlite() {
    check(Engine::Sqlite);
}

fn check(engine: Engine) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = TestDatabase::new(engine);
    let jobs = Arc::new(runtime.block_on(Jobs::start(&database)));
    let number = Cell::new(0);
    check_cases(&case(), |case| {
        number.set(number.get() + 1);
        let ids = [0, 1, 2].map(|user| user_id(number.get() * USERS + user));
        let seen = runtime.block_on(case.happen(&ids, &jobs));
        for (id, Seen { news, all }) in ids.iter().zip(seen) {
            let row = table::rows(&database, &format!("external_id = '{id}'")).remove(id);
            if !case.together {
                let expected = (!news.is_empty()).then(|| model::row(id, &news));
                prop_assert_eq!(&row, &expected);
            }
            if is_of_one_mind(&all) {
                let whole = (!all.is_empty()).then(|| model::row(id, &all));
                prop_assert_eq!(row.map(without_instants), whole.map(without_instants));
            }
        }
        Ok(())
    });
}

/// Whether the provider neither reported a user as gone nor showed the
/// user in two ways as of one `updated_at`. Else it matters when it did so last, and that is what
/// a page that is no news does not record.
fn is_of_one_mind(all: &[Value]) -> bool {
    let fetched: Vec<&Value> = all.iter().filter(|thing| thing["type"] == "fetched").collect();
    let agree = |one: &Value, other: &Value| {
        one["updated_at"] != other["updated_at"] || one["first_name"] == other["first_name"]
    };
    let one_way = |one: &&Value| fetched.iter().all(|other| agree(&one["data"], &other["data"]));
    fetched.iter().all(one_way) && all.iter().all(|thing| thing["type"] != "absence")
}

/// A row but for when the user was seen last.
fn without_instants(mut row: Value) -> Value {
    row["version_seen_at"] = Value::Null;
    row["last_fetched_at"] = Value::Null;
    row
}

#[derive(Default)]
struct Seen {
    /// What was new when it was committed.
    news: Vec<Value>,
    all: Vec<Value>,
}

impl Seen {
    fn add(&mut self, id: &str, thing: &Value, way: Way) {
        self.all.push(thing.clone());
        if way == Way::Alone || !self.shows(id, thing) {
            self.news.push(thing.clone());
        }
    }

    /// Whether the row is live, was fetched, and the page adds nothing to it.
    fn shows(&self, id: &str, thing: &Value) -> bool {
        if self.news.is_empty() {
            return false;
        }
        let row = model::row(id, &self.news);
        let alone = model::row(id, std::slice::from_ref(thing));
        let same = ["version_updated_at", "version_digest", "version_kind", "status"];
        let sign_in = |row: &Value| row["last_sign_in_at"].as_str().map(str::to_owned);
        let is_newer = alone["version_seen_at"].as_i64() > row["version_seen_at"].as_i64();
        is_newer
            && same.iter().all(|column| row[*column] == alone[*column])
            && sign_in(&row) >= sign_in(&alone)
    }
}

impl PageCase {
    /// Observes and commits everything at its time; returns what was seen of each user.
    async fn happen(&self, ids: &[String; USERS], jobs: &Arc<Jobs>) -> [Seen; USERS] {
        let mut seen: [Seen; USERS] = Default::default();
        let mut pending: Vec<(usize, Pending)> = Vec::new();
        for instant in 0..=self.sights.len() + MOST_DELAY {
            if let Some((sight, delay)) = self.sights.get(instant) {
                let things = jobs.see(sight, ids, i64::try_from(instant).unwrap()).await;
                pending.push((instant + delay, things));
            }
            let mut under_way = JoinSet::new();
            for (_, Pending { way, things }) in pending.extract_if(.., |(due, _)| *due <= instant) {
                for thing in &things {
                    let user =
                        ids.iter().position(|id| thing["data"]["id"] == id.as_str()).unwrap();
                    seen[user].add(&ids[user], thing, way);
                }
                let jobs = Arc::clone(jobs);
                under_way.spawn(async move { jobs.commit(way, &things).await });
                if !self.together {
                    under_way.join_next().await.unwrap().unwrap();
                }
            }
            under_way.join_all().await;
        }
        seen
    }
}
