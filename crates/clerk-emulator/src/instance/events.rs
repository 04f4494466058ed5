//! Telling of a change: an event, and what a fault makes of it.

use super::{Instance, State};
use crate::counts::Counts;
use crate::deliveries::Message;
use crate::event;
use crate::faults::{self, EventFaults};
use serde_json::Value;

/// How many dropped messages are kept for a replay; the oldest goes first.
const MOST_DROPPED: usize = 10_000;

impl Instance {
    /// Hands an event to the post outbox, or lets a fault have it.
    pub(super) fn tell(&self, state: &mut State, kind: &str, data: &Value, now: i64) {
        if !self.outbox.has_address() {
            return;
        }
        state.events += 1;
        let number = state.events;
        self.outbox.count_event();
        let event_faults = faults::event_faults(state.faults, &self.rng, number);
        count_faults(&mut state.counts, event_faults);
        let id = format!("msg_{}", self.rng.draw("message", number).letters(27));
        let body = event::body(kind, data, &self.credentials.instance_id, now);
        let EventFaults { behind, delay, .. } = event_faults;
        let message = Message { number, id, body, behind, delay, failures: 0 };
        if event_faults.dropped {
            return state.keep_dropped(message);
        }
        if event_faults.duplicated {
            self.outbox.post(Message { behind: None, delay: None, ..message.clone() });
        }
        self.outbox.post(message);
    }
}

impl Instance {
    /// Delivers what was dropped, and says how many messages that are.
    pub(crate) fn redeliver_dropped(&self) -> usize {
        let dropped = std::mem::take(&mut self.lock().dropped);
        let count = dropped.len();
        for message in dropped {
            self.outbox.post(message);
        }
        count
    }
}

impl State {
    fn keep_dropped(&mut self, message: Message) {
        if self.dropped.len() == MOST_DROPPED {
            self.dropped.pop_front();
        }
        self.dropped.push_back(message);
    }
}

fn count_faults(counts: &mut Counts, event_faults: EventFaults) {
    let happened = [
        ("dropped", event_faults.dropped),
        ("duplicated", event_faults.duplicated),
        ("reordered", event_faults.behind.is_some()),
        ("delayed", event_faults.behind.is_none() && event_faults.delay.is_some()),
    ];
    for (kind, _) in happened.into_iter().filter(|(_, happened)| *happened) {
        counts.fault(kind);
    }
}
