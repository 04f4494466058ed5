//! Hearsay: what somebody else's event says of a user, taken over without events anybody.
//!
//! `usersync send` posts events that this instance never wrote. Who is told of one and asks here
//! would hear that there is no such user, and rightly take the row for one that is to go.

use super::Instance;
use crate::clock;
use crate::error::ApiError;
use crate::user::{Ids, User, fields};
use serde_json::Value;

impl Instance {
    /// Takes over what an event says. One that is not about a user says nothing.
    pub(crate) fn adopt(&self, event: &Value) -> Result<(), ApiError> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let (Some(kind), Some(id)) = (text("/type"), text("/data/id")) else {
            return Ok(());
        };
        match kind {
            "user.deleted" => self.forget(id),
            "user.created" | "user.updated" => {
                self.upsert(id, event.get("data").unwrap_or(&Value::Null))?;
            }
            _ => return Ok(()),
        }
        self.changed.notify_one();
        Ok(())
    }

    fn forget(&self, id: &str) {
        let mut state = self.lock();
        state.directory.remove(id);
        state.sessions.revoke_all_of(id, clock::now());
    }

    fn upsert(&self, id: &str, data: &Value) -> Result<(), ApiError> {
        let mut state = self.lock();
        let mut user = User::new(id.to_owned(), &self.credentials.instance_id, clock::now());
        let known = user.to_value();
        let told = data.as_object().into_iter().flatten();
        let told = told.filter(|(key, _)| known.get(key.as_str()).is_some());
        let told: Value = told.map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut ids = Ids { rng: &self.rng, next: &mut state.ids };
        fields::overlay(&mut user, &told, &mut ids)?;
        if state.directory.get(id).is_some() {
            state.directory.replace(user)?;
        } else {
            state.directory.insert(user)?;
        }
        Ok(())
    }
}
