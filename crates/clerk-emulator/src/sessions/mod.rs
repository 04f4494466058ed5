//! Sessions: who is signed in, as the Backend API sees it.
//!
//! SavedState by `instance`; [`tokens`] says what a token of one holds.

pub(super) mod tokens;

use serde::Serialize;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};

/// How many sessions are remembered; the oldest goes first.
const MOST_SESSIONS: usize = 100_000;

/// How long a session lives, in milliseconds.
const LIFETIME: i64 = 7 * 24 * 60 * 60 * 1_000;

/// A session, with the fields that the provider sends, in its order.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Session {
    object: &'static str,
    pub id: String,
    client_id: String,
    pub user_id: String,
    pub status: &'static str,
    last_active_organization_id: Option<String>,
    actor: Option<Value>,
    latest_activity: Option<Value>,
    last_active_at: i64,
    expire_at: i64,
    abandon_at: i64,
    created_at: i64,
    updated_at: i64,
}

/// All sessions of the instance.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: HashMap<String, Session>,
    latest: HashMap<String, String>,
    order: VecDeque<String>,
}

impl Session {
    pub(super) fn new(id: String, client_id: String, user_id: &str, now: i64) -> Self {
        Self {
            object: "session",
            id,
            client_id,
            user_id: user_id.to_owned(),
            status: "active",
            last_active_organization_id: None,
            actor: None,
            latest_activity: None,
            last_active_at: now,
            expire_at: now.saturating_add(LIFETIME),
            abandon_at: now.saturating_add(LIFETIME * 4),
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether tokens of it may still be had.
    pub(super) fn is_active(&self) -> bool {
        self.status == "active"
    }
}

impl Sessions {
    pub(super) fn add(&mut self, session: Session) {
        self.latest.insert(session.user_id.clone(), session.id.clone());
        self.order.push_back(session.id.clone());
        self.by_id.insert(session.id.clone(), session);
        if self.order.len() > MOST_SESSIONS {
            let oldest = self.order.pop_front().and_then(|id| self.by_id.remove(&id));
            let oldest = oldest.filter(|old| self.latest.get(&old.user_id) == Some(&old.id));
            if let Some(oldest) = oldest {
                self.latest.remove(&oldest.user_id);
            }
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Session> {
        self.by_id.get(id)
    }

    /// The user's newest session, where it is active.
    pub(super) fn latest(&self, user_id: &str) -> Option<&Session> {
        self.by_id.get(self.latest.get(user_id)?).filter(|session| session.is_active())
    }

    pub(super) fn revoke(&mut self, id: &str, now: i64) -> Option<Session> {
        let session = self.by_id.get_mut(id)?;
        if session.is_active() {
            session.status = "revoked";
            session.updated_at = now;
        }
        Some(session.clone())
    }

    /// Ends all sessions of a user who was banned or deleted.
    pub(super) fn revoke_all_of(&mut self, user_id: &str, now: i64) {
        let active = self.by_id.values_mut().filter(|session| session.is_active());
        for session in active.filter(|session| session.user_id == user_id) {
            session.status = "revoked";
            session.updated_at = now;
        }
    }
}
