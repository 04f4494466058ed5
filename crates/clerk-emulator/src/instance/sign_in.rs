//! Signing in: sessions, and the tokens of them.

use super::Instance;
use crate::clock;
use crate::sessions::Session;
use crate::sessions::tokens::{self, TokenOptions};
use crate::user::Ids;

impl Instance {
    /// Signs a user in.
    pub(crate) fn new_session(&self, user_id: &str) -> Session {
        let now = clock::now();
        let mut state = self.lock();
        let mut ids = Ids { rng: &self.rng, next: &mut state.ids };
        let (id, client) = (ids.issue("sess"), ids.issue("client"));
        let session = Session::new(id, client, user_id, now);
        state.sessions.add(session.clone());
        session
    }

    /// A fresh token of a user's session, which is made where there is none.
    pub(crate) fn token_of(&self, user_id: &str) -> String {
        let latest = self.lock().sessions.latest(user_id).cloned();
        let session = latest.unwrap_or_else(|| self.new_session(user_id));
        self.token(&session, &TokenOptions::default())
    }

    /// A signed token of a session.
    pub(crate) fn token(&self, session: &Session, asked: &TokenOptions) -> String {
        let now = clock::now() / 1_000;
        let (user, id) = {
            let mut state = self.lock();
            state.ids += 1;
            let id = self.rng.draw("token", state.ids).letters(20);
            (state.directory.get(&session.user_id).cloned(), id)
        };
        let by = (self.credentials.instance_id.as_str(), self.credentials.issuer.as_str());
        let (header, claims) = tokens::token(by, session, user.as_deref(), asked, (now, id));
        self.key.sign(&header, &claims)
    }
}
