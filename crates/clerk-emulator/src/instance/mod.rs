//! The instance: its users and sessions, and every change of them.
//!
//! Routes and the methods of `Emulator` both change users through here, behind one lock that is
//! never held across an await. A change that changes nothing emits no event.

pub(crate) mod events;

use crate::counts::{Counts, ListHistory};
use crate::deliveries::{Message, Outbox};
use crate::directory::Directory;
use crate::error::ApiError;
use crate::key::Key;
use crate::now;
use crate::rate_limits::RateLimits;
use crate::rng::SeededRng;
use crate::sessions::Sessions;
use crate::settings::{Credentials, Faults, Outage};
use crate::state_file::SavedState;
use crate::user::{Ids, User};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// For how many users metadata writes are counted, which bounds the memory.
const MOST_WRITERS: usize = 1_000_000;

pub(crate) struct Instance {
    pub credentials: Credentials,
    pub rng: SeededRng,
    pub key: Key,
    pub outbox: Outbox,
    /// How long the API waits before each answer.
    pub latency: Duration,
    /// Notified after each change that should be saved.
    pub changed: Notify,
    pub state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub directory: Directory,
    pub sessions: Sessions,
    pub counts: Counts,
    pub lists: ListHistory,
    pub faults: Faults,
    pub outage: Outage,
    /// Present if the provider's limits are enforced.
    pub rate_limits: Option<RateLimits>,
    /// The number of the last request about users.
    pub requests: u64,
    /// Messages that faults dropped, oldest first.
    dropped: VecDeque<Message>,
    metadata_writes: HashMap<String, usize>,
    /// The number of the last id.
    pub ids: u64,
    /// The number of the last event.
    pub events: u64,
}

impl Instance {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs up a user; `fill` sets its fields.
    pub(crate) fn create(
        &self,
        fill: impl FnOnce(&mut User, &mut Ids<'_>) -> Result<(), ApiError>,
    ) -> Result<Arc<User>, ApiError> {
        let now = now();
        let mut state = self.lock();
        let mut ids = Ids { rng: &self.rng, next: &mut state.ids };
        let id = ids.issue("user");
        let mut user = User::new(id, &self.credentials.instance_id, now);
        fill(&mut user, &mut ids)?;
        // As with the real provider, the two times of a new user are never equal.
        let later = self.rng.below("first update", *ids.next, 60);
        user.updated_at = now + 18 + i64::try_from(later).unwrap_or(0);
        let user = state.directory.insert(user)?;
        self.emit(&mut state, "user.created", &user.to_value(), user.updated_at.max(now));
        self.changed.notify_one();
        Ok(user)
    }

    /// Changes a user. If nothing differs, `updated_at` stays and no event is emitted.
    pub(crate) fn change(
        &self,
        id: &str,
        apply: impl FnOnce(&mut User, &mut Ids<'_>) -> Result<(), ApiError>,
    ) -> Result<Arc<User>, ApiError> {
        let now = now();
        let mut state = self.lock();
        let old = state.directory.get(id).ok_or_else(|| ApiError::no_user(id))?;
        let mut user = User::clone(&old);
        apply(&mut user, &mut Ids { rng: &self.rng, next: &mut state.ids })?;
        user.updated_at = old.updated_at;
        if user == *old {
            return Ok(old);
        }
        user.updated_at = now.max(old.updated_at + 1);
        let user = state.directory.replace(user)?;
        if user.banned && !old.banned {
            state.sessions.revoke_all_of(id, now);
        }
        self.emit(&mut state, "user.updated", &user.to_value(), user.updated_at);
        self.changed.notify_one();
        Ok(user)
    }

    /// Deletes a user and revokes its sessions.
    pub(crate) fn delete(&self, id: &str) -> Option<Arc<User>> {
        let now = now();
        let mut state = self.lock();
        let user = state.directory.remove(id)?;
        state.sessions.revoke_all_of(id, now);
        let timestamp_ms = now.max(user.updated_at + 1);
        self.emit(&mut state, "user.deleted", &events::deleted(&user), timestamp_ms);
        self.changed.notify_one();
        Some(user)
    }

    /// Counts a write of a user's metadata, whether it changed anything or not.
    pub(crate) fn count_metadata_write(&self, id: &str) {
        let mut state = self.lock();
        if state.metadata_writes.len() >= MOST_WRITERS {
            state.metadata_writes.clear();
        }
        *state.metadata_writes.entry(id.to_owned()).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> Counts {
        let counts = self.lock().counts.clone();
        Counts { deliveries: self.outbox.counts(), ..counts }
    }

    pub(crate) fn metadata_writes(&self, id: &str) -> usize {
        self.lock().metadata_writes.get(id).copied().unwrap_or(0)
    }
}

impl State {
    pub(crate) fn new(directory: Directory) -> Self {
        Self { directory, ..Self::default() }
    }

    pub(crate) fn restored(saved: SavedState) -> Self {
        let directory = Directory::restored(saved.users, saved.issued);
        Self { ids: saved.ids, events: saved.events, ..Self::new(directory) }
    }
}
