//! Metrics in the `OpenMetrics` format.
//!
//! `ingest`, `sync`, `provider` and `http` count here; `http` renders. One registry per app, no global, so that two apps in
//! one test do not share numbers. Every label set is closed and present from the start, so that a
//! rate is right from its first event.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Unit::{self, Bytes, Seconds};
use prometheus_client::registry::{Metric, Registry};
use std::time::Duration;

/// Other types count as `other`.
const EVENT_TYPES: [&str; 4] = ["user.created", "user.updated", "user.deleted", "other"];

/// Name and help of a metric.
type Description = (&'static str, &'static str);

const DELIVERIES: Description = ("deliveries", "Signed deliveries by type and outcome");
const REJECTS: Description =
    ("rejects", "Webhook requests rejected before they were parsed, by reason");
const UNAVAILABLE: Description = ("unavailable", "Deliveries answered 503 by reason");
const OTHER_INSTANCE_EVENTS: Description =
    ("other_instance_events", "Events of a second instance while CLERK_INSTANCE_ID is unset");
const WRITE_BACKS: Description = ("write_backs", "Leases of write-backs by how they ended");
const WRITE_BACKS_WAITING: Description =
    ("write_backs_waiting", "Users whose metadata at the provider is incomplete, by state");
const API_CALLS: Description = ("api_calls", "Calls of the provider's API by outcome");
const JOBS: Description = ("jobs", "Jobs that ended on this replica, by kind and state");
const DRIFT: Description =
    ("drift", "Users in whom table and provider differ, by the last drift report");
const DRIFT_REPORTED: Description =
    ("drift_reported_timestamp", "When that report was made, since 1970; 0 where there is none");
const API: Description =
    ("api", "From sending one request to the provider's API to the end of its answer");
const DELIVERY: Description = ("delivery", "From a delivery's headers to its durable answer");
const EVENT_LAG: Description =
    ("event_lag", "From the provider's timestamp of an event to its commit");
const WAL_DIRTY: Description =
    ("wal_dirty", "How long deleted bytes may have been left in SQLite's write-ahead log");
const BATCH_SIZE: Description = ("batch_size", "Deliveries in one transaction");
const QUEUE_DEPTH: Description = ("queue_depth", "Deliveries that wait");
const QUEUE: Description = ("queue", "Bodies of deliveries that wait");
const QUARANTINE: Description = ("quarantine", "Bodies in the quarantine");

/// Pairs of a label's name and its word.
type Labels<const N: usize> = [(&'static str, &'static str); N];

type Counters<const N: usize> = Family<Labels<N>, Counter>;

/// The words that labels may have. `app` collects them, because telemetry uses no other module.
#[derive(Default)]
pub struct LabelWords {
    pub delivery_outcomes: Vec<&'static str>,
    pub rejections: Vec<&'static str>,
    pub unavailable_reasons: Vec<&'static str>,
    pub write_back_outcomes: Vec<&'static str>,
    pub write_back_states: Vec<&'static str>,
    pub api_calls: Vec<&'static str>,
    pub api_outcomes: Vec<&'static str>,
    pub job_kinds: Vec<&'static str>,
    pub job_states: Vec<&'static str>,
}

pub struct Metrics {
    registry: Registry,
    deliveries: Counters<2>,
    rejects: Counters<1>,
    unavailable: Counters<1>,
    other_instance: Counter,
    write_backs: Counters<1>,
    write_backs_waiting: Family<Labels<1>, Gauge>,
    api_calls: Counters<2>,
    jobs: Counters<2>,
    drift: Family<Labels<1>, Gauge>,
    drift_reported: Gauge,
    api_seconds: Histogram,
    delivery_seconds: Histogram,
    event_lag_seconds: Histogram,
    batch_size: Histogram,
    queue_depth: Gauge,
    queue_bytes: Gauge,
    quarantine_bytes: Gauge,
    wal_dirty_seconds: Gauge,
    write_back_states: Vec<&'static str>,
}

impl Default for Metrics {
    /// For commands that do not serve: no label is present from the start.
    fn default() -> Self {
        Self::new(LabelWords::default())
    }
}

impl Metrics {
    /// Every label of `words` is present from the start.
    pub fn new(words: LabelWords) -> Self {
        let mut registry = Registry::with_prefix("usersync");
        let all = &mut registry;
        Self {
            deliveries: add(
                all,
                DELIVERIES,
                by_two("type", &EVENT_TYPES, "outcome", &words.delivery_outcomes),
            ),
            rejects: add(all, REJECTS, by_one("reason", &words.rejections)),
            unavailable: add(all, UNAVAILABLE, by_one("reason", &words.unavailable_reasons)),
            other_instance: add(all, OTHER_INSTANCE_EVENTS, Counter::default()),
            write_backs: add(all, WRITE_BACKS, by_one("outcome", &words.write_back_outcomes)),
            write_backs_waiting: add(all, WRITE_BACKS_WAITING, Family::default()),
            api_calls: add(
                all,
                API_CALLS,
                by_two("call", &words.api_calls, "outcome", &words.api_outcomes),
            ),
            jobs: add(all, JOBS, by_two("kind", &words.job_kinds, "state", &words.job_states)),
            drift: add(all, DRIFT, Family::default()),
            drift_reported: add_with_unit(all, DRIFT_REPORTED, Seconds, Gauge::default()),
            api_seconds: add_with_unit(all, API, Seconds, histogram(0.005, 2.0, 14)),
            delivery_seconds: add_with_unit(all, DELIVERY, Seconds, histogram(0.000_5, 2.0, 16)),
            event_lag_seconds: add_with_unit(all, EVENT_LAG, Seconds, histogram(0.01, 4.0, 12)),
            batch_size: add(all, BATCH_SIZE, histogram(1.0, 2.0, 10)),
            queue_depth: add(all, QUEUE_DEPTH, Gauge::default()),
            queue_bytes: add_with_unit(all, QUEUE, Bytes, Gauge::default()),
            quarantine_bytes: add_with_unit(all, QUARANTINE, Bytes, Gauge::default()),
            wal_dirty_seconds: add_with_unit(all, WAL_DIRTY, Seconds, Gauge::default()),
            write_back_states: words.write_back_states,
            registry,
        }
    }

    pub fn count_delivery(&self, event_type: &str, outcome: &'static str) {
        let known = EVENT_TYPES.iter().find(|known| **known == event_type);
        let event_type = *known.unwrap_or(&"other");
        self.deliveries.get_or_create(&[("type", event_type), ("outcome", outcome)]).inc();
    }

    pub fn count_rejection(&self, reason: &'static str) {
        self.rejects.get_or_create(&[("reason", reason)]).inc();
    }

    pub fn count_unavailable(&self, reason: &'static str) {
        self.unavailable.get_or_create(&[("reason", reason)]).inc();
    }

    pub fn count_other_instance_event(&self) {
        self.other_instance.inc();
    }

    /// States that `counted` does not name are set to 0.
    pub fn set_write_backs_waiting(&self, counted: &[(String, i64)]) {
        for state in &self.write_back_states {
            let count =
                counted.iter().find(|(name, _)| name == state).map_or(0, |(_, count)| *count);
            self.write_backs_waiting.get_or_create(&[("state", *state)]).set(count);
        }
    }

    /// Counts the outcome of one lease.
    pub fn count_write_back(&self, outcome: &'static str) {
        self.write_backs.get_or_create(&[("outcome", outcome)]).inc();
    }

    pub fn count_job(&self, kind: &'static str, state: &'static str) {
        self.jobs.get_or_create(&[("kind", kind), ("state", state)]).inc();
    }

    /// The counts of the last drift report, which ended at `reported_at`, in seconds since 1970.
    pub fn set_drift(
        &self,
        reported_at: i64,
        counts: impl IntoIterator<Item = (&'static str, u64)>,
    ) {
        self.drift_reported.set(reported_at);
        for (drift_kind, count) in counts {
            self.drift
                .get_or_create(&[("drift_kind", drift_kind)])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Counts one call, however many requests it took.
    pub fn count_api_call(&self, call: &'static str, outcome: &'static str) {
        self.api_calls.get_or_create(&[("call", call), ("outcome", outcome)]).inc();
    }

    pub fn observe_api_request(&self, duration: Duration) {
        self.api_seconds.observe(duration.as_secs_f64());
    }

    /// From its first byte to its answer.
    pub fn observe_delivery(&self, duration: Duration) {
        self.delivery_seconds.observe(duration.as_secs_f64());
    }

    /// From the provider's timestamp to the commit.
    pub fn observe_event_lag_ms(&self, lag_ms: i64) {
        let lag_ms = u64::try_from(lag_ms).unwrap_or(0);
        self.event_lag_seconds.observe(Duration::from_millis(lag_ms).as_secs_f64());
    }

    pub fn observe_batch_size(&self, size: usize) {
        self.batch_size.observe(u32::try_from(size).map_or(f64::INFINITY, f64::from));
    }

    pub fn set_queue(&self, deliveries: usize, bytes: usize) {
        self.queue_depth.set(i64::try_from(deliveries).unwrap_or(i64::MAX));
        self.queue_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub fn set_quarantine_bytes(&self, bytes: i64) {
        self.quarantine_bytes.set(bytes);
    }

    pub fn set_wal_dirty(&self, age: Option<Duration>) {
        let seconds = age.map_or(0, |age| age.as_secs());
        self.wal_dirty_seconds.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        prometheus_client::encoding::text::encode(&mut text, &self.registry).ok();
        text
    }
}

/// Registers `metric`, which becomes part of what is rendered, and returns it.
fn add<M: Metric + Clone>(all: &mut Registry, (name, help): Description, metric: M) -> M {
    all.register(name, help, metric.clone());
    metric
}

fn add_with_unit<M: Metric + Clone>(
    all: &mut Registry,
    (name, help): Description,
    unit: Unit,
    metric: M,
) -> M {
    all.register_with_unit(name, help, unit, metric.clone());
    metric
}

fn histogram(first: f64, factor: f64, buckets: u16) -> Histogram {
    Histogram::new(exponential_buckets(first, factor, buckets))
}

fn by_one(label: &'static str, words: &[&'static str]) -> Counters<1> {
    let counters = Counters::default();
    for word in words {
        drop(counters.get_or_create(&[(label, *word)]));
    }
    counters
}

fn by_two(
    label: &'static str,
    words: &[&'static str],
    other: &'static str,
    other_words: &[&'static str],
) -> Counters<2> {
    let counters = Counters::default();
    for word in words {
        for other_word in other_words {
            drop(counters.get_or_create(&[(label, *word), (other, *other_word)]));
        }
    }
    counters
}
