//! Telling of a change: an event, and what a fault makes of it.

use super::{State, World};
use crate::counts::Counts;
use crate::deliveries::Parcel;
use crate::event;
use crate::faults::{self, Fate};
use serde_json::Value;

/// How many dropped messages are kept for a replay; the oldest goes first.
const MOST_DROPPED: usize = 10_000;

impl World {
    /// Hands an event to the post office, or lets a fault have it.
    pub(super) fn tell(&self, state: &mut State, kind: &str, data: &Value, now: i64) {
        if !self.office.has_address() {
            return;
        }
        state.events += 1;
        let number = state.events;
        self.office.count_event();
        let fate = faults::fate(state.faults, &self.chance, number);
        count_fate(&mut state.counts, fate);
        let id = format!("msg_{}", self.chance.draw("message", number).letters(27));
        let body = event::body(kind, data, &self.credentials.instance_id, now);
        let Fate { behind, delay, .. } = fate;
        let parcel = Parcel { number, id, body, behind, delay, failures: 0 };
        if fate.dropped {
            return state.keep_dropped(parcel);
        }
        if fate.duplicated {
            self.office.post(Parcel { behind: None, delay: None, ..parcel.clone() });
        }
        self.office.post(parcel);
    }
}

impl World {
    /// Delivers what was dropped, and says how many messages that are.
    pub(crate) fn redeliver_dropped(&self) -> usize {
        let dropped = std::mem::take(&mut self.lock().dropped);
        let count = dropped.len();
        for parcel in dropped {
            self.office.post(parcel);
        }
        count
    }
}

impl State {
    fn keep_dropped(&mut self, parcel: Parcel) {
        if self.dropped.len() == MOST_DROPPED {
            self.dropped.pop_front();
        }
        self.dropped.push_back(parcel);
    }
}

fn count_fate(counts: &mut Counts, fate: Fate) {
    let happened = [
        ("dropped", fate.dropped),
        ("duplicated", fate.duplicated),
        ("reordered", fate.behind.is_some()),
        ("delayed", fate.behind.is_none() && fate.delay.is_some()),
    ];
    for (kind, _) in happened.into_iter().filter(|(_, happened)| *happened) {
        counts.fault(kind);
    }
}
