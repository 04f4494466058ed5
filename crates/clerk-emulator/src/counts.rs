//! Counters of requests, deliveries, faults and listed users.
//!
//! Counted by `middleware`, `deliveries`, `instance` and the list route; read by tests and
//! measurements through `Emulator::counts` and `GET /v1/usersync/counts`.

use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// How many different list queries are remembered, which bounds the memory.
const MOST_QUERIES: usize = 100_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests by kind, refused ones too: `list`, `count`, `get`, `create`, `update`, `delete`,
    /// `metadata_patch`, `metadata_put`, `status`, `jwks`, `session`, `token`, `other`.
    pub requests: BTreeMap<&'static str, u64>,
    pub deliveries: DeliveryCounts,
    pub lists: ListCounts,
    /// Injected faults by kind: `duplicated`, `reordered`, `delayed`, `dropped` of deliveries;
    /// `limited`, `limited_silently`, `failed`, `answer_lost`, `slow` of the API.
    pub faults: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryCounts {
    /// Changes of users while there was an address to deliver to.
    pub events: u64,
    pub sent: u64,
    /// Attempts that were answered with a 2xx.
    pub acknowledged: u64,
    /// Failed attempts that another one follows.
    pub retried: u64,
    pub abandoned: u64,
}

/// What `GET /v1/users` answered: it shows whether a client lists anything twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListCounts {
    pub pages: u64,
    /// Pages whose query string had been asked before.
    pub repeated_pages: u64,
    pub users: u64,
    pub different_users: u64,
    /// Users that an earlier page had contained.
    pub repeated_users: u64,
}

impl Counts {
    pub fn requests_of(&self, kind: &str) -> u64 {
        self.requests.get(kind).copied().unwrap_or(0)
    }

    pub fn faults_of(&self, kind: &str) -> u64 {
        self.faults.get(kind).copied().unwrap_or(0)
    }

    pub fn all_requests(&self) -> u64 {
        self.requests.values().sum()
    }

    pub(crate) fn request(&mut self, kind: &'static str) {
        *self.requests.entry(kind).or_default() += 1;
    }

    pub(crate) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }
}

/// Which queries and users were listed before.
#[derive(Debug, Default)]
pub(crate) struct ListHistory {
    queries: HashSet<String>,
    /// Whether a user was listed, by its arrival number.
    users: Vec<bool>,
}

impl ListHistory {
    pub(crate) fn record(
        &mut self,
        counts: &mut ListCounts,
        query: &str,
        arrivals: impl Iterator<Item = u64>,
    ) {
        if self.queries.len() >= MOST_QUERIES {
            self.queries.clear();
        }
        counts.pages += 1;
        counts.repeated_pages += u64::from(!self.queries.insert(query.to_owned()));
        for arrival in arrivals {
            let is_new = self.add_user(arrival);
            counts.users += 1;
            counts.different_users += u64::from(is_new);
            counts.repeated_users += u64::from(!is_new);
        }
    }

    fn add_user(&mut self, arrival: u64) -> bool {
        let index = usize::try_from(arrival).unwrap_or(0);
        if index >= self.users.len() {
            self.users.resize(index + 1, false);
        }
        self.users.get_mut(index).is_some_and(|listed| !std::mem::replace(listed, true))
    }
}

#[cfg(test)]
mod tests {
    use super::{ListCounts, ListHistory};

    #[test]
    fn repeated_pages_and_users_are_counted() {
        let (mut history, mut counts) = (ListHistory::default(), ListCounts::default());
        history.record(&mut counts, "offset=0", [0, 1, 64].into_iter());
        history.record(&mut counts, "offset=2", [64, 700].into_iter());
        history.record(&mut counts, "offset=2", [64, 700].into_iter());
        let expected = ListCounts {
            pages: 3,
            repeated_pages: 1,
            users: 7,
            different_users: 4,
            repeated_users: 3,
        };
        assert_eq!(counts, expected);
    }
}
