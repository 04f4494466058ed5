//! Events: what the instance sends when a user changes, and what it takes over from events that
//! another sender signed.
//!
//! Called by `instance` under its lock, so that the order of events is the order of changes, and by
//! the extension route for foreign events.

use super::{Instance, State};
use crate::deliveries::Message;
use crate::error::ApiError;
use crate::faults::{EventFaults, event_faults};
use crate::now;
use crate::user::{Ids, User, fields};
use bytes::Bytes;
use serde_json::{Value, json};

/// How many dropped messages are kept for a replay; the oldest is forgotten first.
const MOST_DROPPED: usize = 10_000;

impl Instance {
    /// Puts an event into the outbox, unless a fault drops it.
    pub(super) fn emit(&self, state: &mut State, kind: &str, data: &Value, timestamp_ms: i64) {
        if !self.outbox.has_address() {
            return;
        }
        state.events += 1;
        let number = state.events;
        self.outbox.count_event();
        let faults = event_faults(state.faults, &self.rng, number);
        for kind in faults.kinds() {
            state.counts.fault(kind);
        }
        let id = format!("msg_{}", self.rng.letters("message", number, 27));
        let body = event_body(kind, data, &self.credentials.instance_id, timestamp_ms);
        let EventFaults { behind, delay, .. } = faults;
        let message = Message { number, id, body, behind, delay, failures: 0 };
        if faults.dropped {
            return state.keep_dropped(message);
        }
        if faults.duplicated {
            self.outbox.post(Message { behind: None, delay: None, ..message.clone() });
        }
        self.outbox.post(message);
    }

    /// Delivers the messages that faults dropped, and returns how many there were.
    pub(crate) fn redeliver_dropped(&self) -> usize {
        let dropped = std::mem::take(&mut self.lock().dropped);
        let count = dropped.len();
        for message in dropped {
            self.outbox.post(message);
        }
        count
    }

    /// Takes over the user of an event that another sender signed, and emits nothing.
    ///
    /// `usersync send` posts such events to the service. Without this a later GET would answer 404
    /// here, and the service would treat the user as absent.
    pub(crate) fn adopt(&self, event: &Value) -> Result<(), ApiError> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let (Some(kind), Some(id)) = (text("/type"), text("/data/id")) else {
            return Ok(());
        };
        match kind {
            "user.deleted" => {
                let mut state = self.lock();
                state.directory.remove(id);
                state.sessions.revoke_all_of(id, now());
            }
            "user.created" | "user.updated" => {
                self.upsert(id, event.get("data").unwrap_or(&Value::Null))?;
            }
            _ => return Ok(()),
        }
        self.changed.notify_one();
        Ok(())
    }

    fn upsert(&self, id: &str, data: &Value) -> Result<(), ApiError> {
        let mut state = self.lock();
        let mut user = User::new(id.to_owned(), &self.credentials.instance_id, now());
        let shape = user.to_value();
        let known = data.as_object().into_iter().flatten();
        let known = known.filter(|(key, _)| shape.get(key.as_str()).is_some());
        let known: Value = known.map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut ids = Ids { rng: &self.rng, next: &mut state.ids };
        fields::overlay(&mut user, &known, &mut ids)?;
        if state.directory.get(id).is_some() {
            state.directory.replace(user)?;
        } else {
            state.directory.insert(user)?;
        }
        Ok(())
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

/// The data of `user.deleted`: no address, no metadata, no time.
pub(crate) fn deleted(user: &User) -> Value {
    let mut data = json!({"deleted": true, "id": user.id, "object": "user"});
    if let (Some(id), Value::Object(data)) = (&user.external_id, &mut data) {
        data.insert("external_id".to_owned(), id.as_str().into());
    }
    data
}

/// The body of an event as the provider writes it: compact, with sorted keys.
pub fn event_body(kind: &str, data: &Value, instance_id: &str, timestamp_ms: i64) -> Bytes {
    let event = json!({
        "data": data,
        "event_attributes": {
            "http_request": {"client_ip": "127.0.0.1", "user_agent": "usersync-emulator"},
        },
        "instance_id": instance_id,
        "object": "event",
        "timestamp": timestamp_ms,
        "type": kind,
    });
    Bytes::from(event.to_string())
}
