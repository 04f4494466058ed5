//! The instance itself: its users, its sessions, and what it tells of them.
//!
//! Every change goes through here, from the routes and from the library's own methods alike,
//! behind one lock that is never held across an await. A change that changes nothing is none.

mod events;
mod foreign_events;
mod sign_in;

use crate::clock;
use crate::counts::Counts;
use crate::deliveries::{Message, Outbox};
use crate::directory::Directory;
use crate::error::ApiError;
use crate::key::Key;
use crate::rate_limits::RateLimits;
use crate::rng::SeededRng;
use crate::sessions::Sessions;
use crate::settings::{Credentials, Faults, Outage};
use crate::state_file::SavedState;
use crate::user::{Ids, User, fields};
use crate::{event, sample};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Of how many users the metadata writes are remembered.
const MOST_WRITERS: usize = 1_000_000;

/// The instance.
pub(crate) struct Instance {
    credentials: Credentials,
    rng: SeededRng,
    key: Key,
    outbox: Outbox,
    changed: Notify,
    state: Mutex<State>,
}

/// What changes.
#[derive(Default)]
pub(crate) struct State {
    pub directory: Directory,
    pub sessions: Sessions,
    pub counts: Counts,
    pub faults: Faults,
    pub outage: Outage,
    /// Present where the provider's limits hold.
    pub rate_limits: Option<RateLimits>,
    /// The number of the last request about users.
    pub requests: u64,
    /// The messages that were dropped, oldest first.
    dropped: VecDeque<Message>,
    metadata_writes: HashMap<String, usize>,
    ids: u64,
    events: u64,
}

/// What is saved.
pub(crate) struct Snapshot {
    pub users: Vec<Arc<User>>,
    pub issued: Vec<String>,
    pub ids: u64,
    pub events: u64,
}

impl Instance {
    pub(crate) fn new(
        credentials: Credentials,
        rng: SeededRng,
        key: Key,
        outbox: Outbox,
        state: State,
    ) -> Self {
        let (changed, state) = (Notify::new(), Mutex::new(state));
        Self { credentials, rng, key, outbox, changed, state }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(crate) fn rng(&self) -> &SeededRng {
        &self.rng
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Completes once something changed that should be saved.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Signs up a user, whom `fill` describes.
    pub(crate) fn create(
        &self,
        fill: impl FnOnce(&mut User, &mut Ids<'_>) -> Result<(), ApiError>,
    ) -> Result<Arc<User>, ApiError> {
        let now = clock::now();
        let mut state = self.lock();
        let user = self.new_user(&mut state, now, fill)?;
        self.tell(&mut state, "user.created", &user.to_value(), user.updated_at.max(now));
        Ok(user)
    }

    /// Adds invented users of whom no event tells, the newest of them created just now.
    pub(crate) fn seed(&self, count: usize) {
        let now = clock::now();
        let mut state = self.lock();
        for number in 0..count {
            let age = i64::try_from(count - number).unwrap_or(0) * 1_000;
            let fields = sample::user(number);
            let fill = |user: &mut User, ids: &mut Ids<'_>| fields::fill(user, &fields, ids);
            // Invented users share nothing with each other.
            self.new_user(&mut state, now - age, fill).ok();
        }
    }

    fn new_user(
        &self,
        state: &mut State,
        now: i64,
        fill: impl FnOnce(&mut User, &mut Ids<'_>) -> Result<(), ApiError>,
    ) -> Result<Arc<User>, ApiError> {
        let mut ids = Ids { rng: &self.rng, next: &mut state.ids };
        let id = ids.issue("user");
        let mut user = User::new(id, &self.credentials.instance_id, now);
        fill(&mut user, &mut ids)?;
        // As with the real one, the two times of a new user are never equal.
        let later = self.rng.draw("first update", *ids.next).below(60);
        user.updated_at = now + 18 + i64::try_from(later).unwrap_or(0);
        self.changed.notify_one();
        state.directory.insert(user)
    }

    /// Changes a user. An unchanged one keeps its `updated_at`, and nobody is told.
    pub(crate) fn change(
        &self,
        id: &str,
        apply: impl FnOnce(&mut User, &mut Ids<'_>) -> Result<(), ApiError>,
    ) -> Result<Arc<User>, ApiError> {
        let now = clock::now();
        let mut state = self.lock();
        let old = state.directory.get(id).cloned().ok_or_else(|| ApiError::no_user(id))?;
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
        self.tell(&mut state, "user.updated", &user.to_value(), user.updated_at);
        self.changed.notify_one();
        Ok(user)
    }

    /// Deletes a user, and ends its sessions.
    pub(crate) fn delete(&self, id: &str) -> Option<Arc<User>> {
        let now = clock::now();
        let mut state = self.lock();
        let user = state.directory.remove(id)?;
        state.sessions.revoke_all_of(id, now);
        self.tell(&mut state, "user.deleted", &event::deleted(&user), now.max(user.updated_at + 1));
        self.changed.notify_one();
        Some(user)
    }

    /// Remembers that metadata of a user was written, whether that changed it or not.
    pub(crate) fn count_metadata_write(&self, id: &str) {
        let mut state = self.lock();
        if state.metadata_writes.len() >= MOST_WRITERS {
            state.metadata_writes.clear();
        }
        *state.metadata_writes.entry(id.to_owned()).or_default() += 1;
    }

    pub(crate) fn metadata_writes(&self, id: &str) -> usize {
        self.lock().metadata_writes.get(id).copied().unwrap_or(0)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        Snapshot {
            users: state.directory.all().cloned().collect(),
            issued: state.directory.issued().cloned().collect(),
            ids: state.ids,
            events: state.events,
        }
    }
}

impl State {
    /// The state that an earlier run left, or an empty one.
    pub(crate) fn restored(kept: Option<SavedState>) -> Self {
        let mut state = Self::default();
        if let Some(kept) = kept {
            state.directory.restore(kept.users, kept.issued);
            (state.ids, state.events) = (kept.ids, kept.events);
        }
        state
    }
}
