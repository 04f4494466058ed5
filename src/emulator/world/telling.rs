//! Telling of a change: an event, and what a fault makes of it.

use super::{State, World};
use crate::emulator::counts::Counts;
use crate::emulator::deliveries::Parcel;
use crate::emulator::event;
use crate::emulator::faults::{self, Fate};
use serde_json::Value;

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
        if fate.dropped {
            return;
        }
        let id = format!("msg_{}", self.chance.draw("message", number).letters(27));
        let body = event::body(kind, data, &self.credentials.instance_id, now);
        let Fate { behind, delay, .. } = fate;
        let parcel = Parcel { number, id, body, behind, delay, failures: 0 };
        if fate.duplicated {
            self.office.post(Parcel { behind: None, delay: None, ..parcel.clone() });
        }
        self.office.post(parcel);
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
