//! Sessions: which users are signed in, as the Backend API shows it.
//!
//! Changed by the session routes and by `instance`; [`tokens`] makes the claims of their tokens.

pub(crate) mod tokens;

use crate::instance::Instance;
use crate::now;
use crate::user::Ids;
use serde::Serialize;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use tokens::TokenOptions;

/// How many sessions are kept; the oldest is forgotten first.
const MOST_SESSIONS: usize = 100_000;

const LIFETIME_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// A session with the provider's fields, in the provider's order.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Session {
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

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_id: HashMap<String, Session>,
    /// The newest session of each user.
    latest: HashMap<String, String>,
    order: VecDeque<String>,
}

impl Instance {
    pub(crate) fn new_session(&self, user_id: &str) -> Session {
        let mut state = self.lock();
        let mut ids = Ids { rng: &self.rng, next: &mut state.ids };
        let (id, client) = (ids.issue("sess"), ids.issue("client"));
        let session = Session::new(id, client, user_id, now());
        state.sessions.add(session.clone());
        session
    }

    /// A fresh token of the user's newest session; signs the user in if there is none.
    pub(crate) fn token_of(&self, user_id: &str) -> String {
        let latest = self.lock().sessions.latest(user_id).cloned();
        let session = latest.unwrap_or_else(|| self.new_session(user_id));
        self.token(&session, &TokenOptions::default())
    }

    pub(crate) fn token(&self, session: &Session, options: &TokenOptions) -> String {
        let (user, id) = {
            let mut state = self.lock();
            state.ids += 1;
            (state.directory.get(&session.user_id), self.rng.letters("token", state.ids, 20))
        };
        let by = (self.credentials.instance_id.as_str(), self.credentials.issuer.as_str());
        let made = (now() / 1_000, id);
        let (header, claims) = tokens::token(by, session, user.as_deref(), options, made);
        self.key.sign(&header, &claims)
    }
}

impl Session {
    fn new(id: String, client_id: String, user_id: &str, now: i64) -> Self {
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
            expire_at: now.saturating_add(LIFETIME_MS),
            abandon_at: now.saturating_add(LIFETIME_MS * 4),
            created_at: now,
            updated_at: now,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.status == "active"
    }

    fn revoke(&mut self, now: i64) {
        if self.is_active() {
            self.status = "revoked";
            self.updated_at = now;
        }
    }
}

impl Sessions {
    fn add(&mut self, session: Session) {
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

    pub(crate) fn get(&self, id: &str) -> Option<&Session> {
        self.by_id.get(id)
    }

    /// The user's newest session, if it is active.
    fn latest(&self, user_id: &str) -> Option<&Session> {
        self.by_id.get(self.latest.get(user_id)?).filter(|session| session.is_active())
    }

    pub(crate) fn revoke(&mut self, id: &str, now: i64) -> Option<Session> {
        let session = self.by_id.get_mut(id)?;
        session.revoke(now);
        Some(session.clone())
    }

    /// Revokes all sessions of a user who was banned or deleted.
    pub(crate) fn revoke_all_of(&mut self, user_id: &str, now: i64) {
        let sessions = self.by_id.values_mut().filter(|session| session.user_id == user_id);
        sessions.for_each(|session| session.revoke(now));
    }
}
