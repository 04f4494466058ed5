//! The model: a Clerk in a box, for demo, development and tests.
//!
//! Started by `cli::emulate`, by `dev`, by `demo` and by tests; listens on loopback only, and
//! its keys say what they are. A request passes [`gate`] and then [`routes`]; every change
//! goes through [`instance`], which keeps the users in [`directory`] and hands events to
//! [`deliveries`]. The rest of the service does not know this room: it talks to it over HTTP,
//! as it would to the real one.

mod clock;
mod counts;
mod credentials;
mod deliveries;
mod directory;
mod error;
mod event;
mod faults;
mod instance;
mod key;
mod middleware;
mod rate_limits;
mod rng;
mod routes;
mod sample;
mod server;
mod sessions;
mod settings;
mod signing;
mod state_file;
mod user;

#[cfg(test)]
mod tests;

pub use counts::{Counts, DeliveryCounts};
pub use deliveries::Retries;
pub use settings::{Credentials, EmulatorError, Faults, INSTANCE, ISSUER, MARK, Outage, Settings};

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use instance::Instance;
use serde_json::{Value, json};
use state_file::StateWriter;
use std::net::SocketAddr;
use user::{fields, metadata};

/// A running emulator. What is done through its methods meets no API faults, limits or
/// outages; the events that it causes are delivered like all others, faults included.
pub struct Emulator {
    address: SocketAddr,
    instance: Data<Instance>,
    server: ServerHandle,
    saver: Option<StateWriter>,
    seed: u64,
}

impl Emulator {
    /// Binds, and serves on the current runtime.
    pub fn start(settings: Settings) -> Result<Self, EmulatorError> {
        server::start(settings)
    }

    /// The address that is listened on; it tells the port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is needed to talk to it.
    pub fn credentials(&self) -> &Credentials {
        self.instance.credentials()
    }

    /// What ids and faults are derived from, for who wants the same run again.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Changes where events are posted to, those that wait for another attempt too.
    pub fn deliver_to(&self, url: Option<String>) {
        self.instance.outbox().set_address(url);
    }

    /// Changes what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.instance.lock().faults = faults;
    }

    /// Changes what the API answers from now on.
    pub fn set_outage(&self, outage: Outage) {
        self.instance.lock().outage = outage;
    }

    /// Signs up a user: the parameters of the API's own route, and any field of the user
    /// object as it is. Gives the user object, or the API's error body where that is refused.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the fields in place")]
    pub fn create_user(&self, fields: Value) -> Value {
        let created = self.instance.create(|user, ids| fields::overlay(user, &fields, ids));
        created.map_or_else(|refusal| refusal.body(), |user| user.to_value())
    }

    /// Changes a user likewise. `None` where there is no such user, or it is refused.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the fields in place")]
    pub fn update_user(&self, id: &str, fields: Value) -> Option<Value> {
        let changed = self.instance.change(id, |user, ids| fields::overlay(user, &fields, ids));
        changed.ok().map(|user| user.to_value())
    }

    /// Lets a user be as this object says, new or known, its times too, and tells nobody. Says
    /// whether it can be so.
    pub fn put_user(&self, user: &Value) -> bool {
        self.instance.adopt(&json!({"type": "user.updated", "data": user})).is_ok()
    }

    /// Merges into the public metadata of a user; a null removes its key.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the fields in place")]
    pub fn merge_public_metadata(&self, id: &str, public_metadata: Value) -> Option<Value> {
        let fields = json!({"public_metadata": public_metadata});
        let changed = self.instance.change(id, |user, _| metadata::merge(user, &fields));
        changed.ok().map(|user| user.to_value())
    }

    /// Bans a user, or lets it in again.
    pub fn ban(&self, id: &str, banned: bool) -> Option<Value> {
        let changed = self.instance.change(id, |user, _| {
            user.banned = banned;
            Ok(())
        });
        changed.ok().map(|user| user.to_value())
    }

    /// Deletes a user; says whether there was one.
    pub fn delete_user(&self, id: &str) -> bool {
        self.instance.delete(id).is_some()
    }

    /// A user object.
    pub fn user(&self, id: &str) -> Option<Value> {
        let user = self.instance.lock().directory.get(id).cloned();
        user.map(|user| user.to_value())
    }

    /// Every user object, oldest first.
    pub fn users(&self) -> Vec<Value> {
        self.instance.snapshot().users.iter().map(|user| user.to_value()).collect()
    }

    /// The id of every user that ever was, deleted ones too, oldest first.
    pub fn issued_ids(&self) -> Vec<String> {
        self.instance.snapshot().issued
    }

    /// A fresh session token of a user, as its browser would have it. Works for a user that
    /// is deleted, banned or invented too: whether a token is enough is for others to say.
    pub fn session_token(&self, user_id: &str) -> String {
        self.instance.token_of(user_id)
    }

    /// A token of any header and claims, signed with the instance's key as RS256.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the claims in place")]
    pub fn sign_token(&self, header: Value, claims: Value) -> String {
        self.instance.key().sign(&header, &claims)
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        let counts = self.instance.lock().counts.clone();
        Counts { deliveries: self.instance.outbox().counts(), ..counts }
    }

    /// How many `PATCH …/metadata` of a user came through to it, refused ones and those that
    /// changed nothing too; ones that a fault or limit answered are not among them.
    pub fn metadata_writes(&self, id: &str) -> usize {
        self.instance.metadata_writes(id)
    }

    /// Delivers every event that a fault dropped, as it was written then and signed now: the
    /// "replay all missing" of the provider's dashboard. Says how many those are.
    pub fn redeliver_dropped(&self) -> usize {
        self.instance.redeliver_dropped()
    }

    /// Completes when no event is queued, held back, put off or under way.
    pub async fn wait_until_idle(&self) {
        self.instance.outbox().wait_until_idle().await;
    }

    /// Stops listening, drops what is not delivered, and saves what is to be kept.
    pub async fn stop(self) {
        self.server.stop(false).await;
        self.instance.outbox().close();
        if let Some(saver) = &self.saver {
            saver.stop().await;
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The command is sent at once; nobody waits for its end.
        drop(self.server.stop(false));
        self.instance.outbox().close();
    }
}
