//! Metrics in the `OpenMetrics` format.
//!
//! Every module counts here; `http` renders. One registry per app, no global, so that two apps in
//! one test do not share numbers. Every label set is closed and present from the start, so that a
//! rate is right from its first event.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Other types count as `other`.
const EVENT_TYPES: [&str; 4] = ["user.created", "user.updated", "user.deleted", "other"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    r#type: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteBackLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApiCallLabels {
    call: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DriftLabels {
    drift_kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    kind: &'static str,
    state: &'static str,
}

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
    deliveries: Family<DeliveryLabels, Counter>,
    rejects: Family<ReasonLabels, Counter>,
    unavailable: Family<ReasonLabels, Counter>,
    other_instance: Counter,
    write_backs: Family<WriteBackLabels, Counter>,
    write_backs_waiting: Family<StateLabels, Gauge>,
    api_calls: Family<ApiCallLabels, Counter>,
    jobs: Family<JobLabels, Counter>,
    drift: Family<DriftLabels, Gauge>,
    drift_reported: Gauge,
    api_seconds: Histogram,
    delivery_seconds: Histogram,
    event_lag_seconds: Histogram,
    batch_size: Histogram,
    queue_depth: Gauge,
    queue_bytes: Gauge,
    quarantine_bytes: Gauge,
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
        let fast = || Histogram::new(exponential_buckets(0.000_5, 2.0, 16));
        let mut metrics = Self {
            registry: Registry::with_prefix("usersync"),
            deliveries: Family::default(),
            rejects: Family::default(),
            unavailable: Family::default(),
            other_instance: Counter::default(),
            write_backs: Family::default(),
            write_backs_waiting: Family::default(),
            api_calls: Family::default(),
            jobs: Family::default(),
            drift: Family::default(),
            drift_reported: Gauge::default(),
            api_seconds: Histogram::new(exponential_buckets(0.005, 2.0, 14)),
            delivery_seconds: fast(),
            event_lag_seconds: Histogram::new(exponential_buckets(0.01, 4.0, 12)),
            batch_size: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            queue_depth: Gauge::default(),
            queue_bytes: Gauge::default(),
            quarantine_bytes: Gauge::default(),
            write_back_states: Vec::new(),
        };
        metrics.fill_labels(&words);
        metrics.write_back_states = words.write_back_states;
        metrics.register();
        metrics
    }

    fn fill_labels(&self, words: &LabelWords) {
        for r#type in EVENT_TYPES {
            for outcome in &words.delivery_outcomes {
                drop(self.deliveries.get_or_create(&DeliveryLabels { r#type, outcome }));
            }
        }
        for reason in &words.rejections {
            drop(self.rejects.get_or_create(&ReasonLabels { reason }));
        }
        for outcome in &words.write_back_outcomes {
            drop(self.write_backs.get_or_create(&WriteBackLabels { outcome }));
        }
        for reason in &words.unavailable_reasons {
            drop(self.unavailable.get_or_create(&ReasonLabels { reason }));
        }
        for kind in &words.job_kinds {
            for state in &words.job_states {
                drop(self.jobs.get_or_create(&JobLabels { kind, state }));
            }
        }
        for call in &words.api_calls {
            for outcome in &words.api_outcomes {
                drop(self.api_calls.get_or_create(&ApiCallLabels { call, outcome }));
            }
        }
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        let deliveries = self.deliveries.clone();
        registry.register("deliveries", "Signed deliveries by type and outcome", deliveries);
        let rejects = self.rejects.clone();
        registry.register(
            "rejects",
            "Webhook requests rejected before they were parsed, by reason",
            rejects,
        );
        let unavailable = self.unavailable.clone();
        registry.register("unavailable", "Deliveries answered 503 by reason", unavailable);
        registry.register(
            "other_instance_events",
            "Events of a second instance while CLERK_INSTANCE_ID is unset",
            self.other_instance.clone(),
        );
        let write_backs = self.write_backs.clone();
        registry.register("write_backs", "Leases of write-backs by how they ended", write_backs);
        registry.register(
            "write_backs_waiting",
            "Users whose metadata at the provider is incomplete, by state",
            self.write_backs_waiting.clone(),
        );
        let api_calls = self.api_calls.clone();
        registry.register("api_calls", "Calls of the provider's API by outcome", api_calls);
        registry.register(
            "jobs",
            "Jobs that ended on this replica, by kind and state",
            self.jobs.clone(),
        );
        registry.register(
            "drift",
            "Users in whom table and provider differ, by the last drift report",
            self.drift.clone(),
        );
        registry.register_with_unit(
            "drift_reported_timestamp",
            "When that report was made, since 1970; 0 where there is none",
            Unit::Seconds,
            self.drift_reported.clone(),
        );
        registry.register_with_unit(
            "api",
            "From sending one request to the provider's API to the end of its answer",
            Unit::Seconds,
            self.api_seconds.clone(),
        );
        registry.register_with_unit(
            "delivery",
            "From the first byte of a delivery to its durable answer",
            Unit::Seconds,
            self.delivery_seconds.clone(),
        );
        registry.register_with_unit(
            "event_lag",
            "From the provider's timestamp of an event to its commit",
            Unit::Seconds,
            self.event_lag_seconds.clone(),
        );
        registry.register("batch_size", "Deliveries in one transaction", self.batch_size.clone());
        registry.register("queue_depth", "Deliveries that wait", self.queue_depth.clone());
        registry.register_with_unit(
            "queue",
            "Bodies of deliveries that wait",
            Unit::Bytes,
            self.queue_bytes.clone(),
        );
        registry.register_with_unit(
            "quarantine",
            "Bodies in the quarantine",
            Unit::Bytes,
            self.quarantine_bytes.clone(),
        );
    }

    pub fn count_delivery(&self, kind: &str, outcome: &'static str) {
        let known = EVENT_TYPES.iter().find(|known| **known == kind);
        let label = DeliveryLabels { r#type: known.unwrap_or(&"other"), outcome };
        self.deliveries.get_or_create(&label).inc();
    }

    pub fn count_rejection(&self, reason: &'static str) {
        self.rejects.get_or_create(&ReasonLabels { reason }).inc();
    }

    pub fn count_unavailable(&self, reason: &'static str) {
        self.unavailable.get_or_create(&ReasonLabels { reason }).inc();
    }

    pub fn count_other_instance_event(&self) {
        self.other_instance.inc();
    }

    /// States that `counted` does not name are set to 0.
    pub fn set_write_backs_waiting(&self, counted: &[(String, i64)]) {
        for state in &self.write_back_states {
            let count =
                counted.iter().find(|(name, _)| name == state).map_or(0, |(_, count)| *count);
            self.write_backs_waiting.get_or_create(&StateLabels { state }).set(count);
        }
    }

    /// Counts the outcome of one lease.
    pub fn count_write_back(&self, outcome: &'static str) {
        self.write_backs.get_or_create(&WriteBackLabels { outcome }).inc();
    }

    pub fn count_job(&self, kind: &'static str, state: &'static str) {
        self.jobs.get_or_create(&JobLabels { kind, state }).inc();
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
                .get_or_create(&DriftLabels { drift_kind })
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Counts one call, however many requests it took.
    pub fn count_api_call(&self, call: &'static str, outcome: &'static str) {
        self.api_calls.get_or_create(&ApiCallLabels { call, outcome }).inc();
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

    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        prometheus_client::encoding::text::encode(&mut text, &self.registry).ok();
        text
    }
}
