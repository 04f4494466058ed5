//! What happened so far, in numbers.
//!
//! Counted by the gate of the API, by the deliveries and by the faults; read by tests and by
//! whoever shows the outcome of a run.

use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that came, by kind: `list`, `count`, `get`, `create`, `update`, `delete`,
    /// `metadata_patch`, `metadata_put`, `status`, `jwks`, `session`, `token`, `other`.
    /// Also those that were refused.
    pub requests: BTreeMap<&'static str, u64>,
    /// What became of the events.
    pub deliveries: DeliveryCounts,
    /// Faults that were injected, by kind: `duplicated`, `reordered`, `delayed`, `dropped` on
    /// deliveries; `limited`, `limited_silently`, `failed`, `answer_lost`, `slow` on the API.
    pub faults: BTreeMap<&'static str, u64>,
}

/// What became of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryCounts {
    /// Events there were to tell of, while there was somebody to tell.
    pub events: u64,
    /// Attempts that were made.
    pub sent: u64,
    /// Attempts that were answered with a 2xx.
    pub acknowledged: u64,
    /// Attempts that failed and were put off.
    pub retried: u64,
    /// Deliveries that were given up.
    pub abandoned: u64,
}

impl Counts {
    /// How many requests of a kind came.
    pub fn requests_of(&self, kind: &str) -> u64 {
        self.requests.get(kind).copied().unwrap_or(0)
    }

    /// How many faults of a kind were injected.
    pub fn faults_of(&self, kind: &str) -> u64 {
        self.faults.get(kind).copied().unwrap_or(0)
    }

    /// All requests, whatever they asked.
    pub fn all_requests(&self) -> u64 {
        self.requests.values().sum()
    }

    pub(super) fn request(&mut self, kind: &'static str) {
        *self.requests.entry(kind).or_default() += 1;
    }

    pub(super) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }
}
