#![doc = include_str!("../README.md")]

mod counts;
mod credentials;
mod deliveries;
mod directory;
mod error;
mod faults;
mod generator;
mod instance;
mod key;
mod middleware;
mod rate_limits;
mod rng;
mod routes;
mod server;
mod sessions;
mod settings;
mod signing;
mod state_file;
mod user;

#[cfg(test)]
mod tests;

pub use counts::{Counts, DeliveryCounts, ListCounts};
pub use deliveries::Retries;
pub use generator::GeneratedUsers;
pub use instance::events::event_body;
pub use settings::{Credentials, EmulatorError, Faults, INSTANCE, ISSUER, MARK, Outage, Settings};
pub use signing::SigningSecret;
pub use state_file::replace_file;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use instance::Instance;
use jiff::Timestamp;
use serde_json::{Value, json};
use state_file::StateWriter;
use user::{fields, metadata};

/// A running emulator. Its methods meet no faults, limits or outages of the API; the events that
/// they cause are delivered like all others, faults included.
pub struct Emulator {
    instance: Data<Instance>,
    server: ServerHandle,
    writer: Option<StateWriter>,
    seed: u64,
}

#[expect(clippy::needless_pass_by_value, reason = "callers write JSON in place")]
impl Emulator {
    /// Binds and serves on the current tokio runtime.
    pub fn start(settings: Settings) -> Result<Self, EmulatorError> {
        server::start(settings)
    }

    pub fn credentials(&self) -> &Credentials {
        &self.instance.credentials
    }

    /// The seed, with which the run can be repeated.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Changes where events are posted to, waiting ones too.
    pub fn deliver_to(&self, url: Option<String>) {
        self.instance.outbox.set_address(url);
    }

    pub fn set_faults(&self, faults: Faults) {
        self.instance.lock().faults = faults;
    }

    pub fn set_outage(&self, outage: Outage) {
        self.instance.lock().outage = outage;
    }

    /// Signs up a user. Takes the parameters of `POST /v1/users` and any field of the user object.
    /// Returns the user object, or the API's error body.
    pub fn create_user(&self, fields: Value) -> Value {
        let created = self.instance.create(|user, ids| fields::overlay(user, &fields, ids));
        created.map_or_else(|error| error.body(), |user| user.to_value())
    }

    /// Changes a user likewise. `None` if there is no such user or the change is refused.
    pub fn update_user(&self, id: &str, fields: Value) -> Option<Value> {
        let changed = self.instance.change(id, |user, ids| fields::overlay(user, &fields, ids));
        changed.ok().map(|user| user.to_value())
    }

    /// Makes a user equal to this object, its times included, and emits no event. Returns whether
    /// the object was accepted.
    pub fn put_user(&self, user: &Value) -> bool {
        self.instance.adopt(&json!({"type": "user.updated", "data": user})).is_ok()
    }

    /// Merges into the public metadata of a user; a null removes its key.
    pub fn merge_public_metadata(&self, id: &str, public_metadata: Value) -> Option<Value> {
        let fields = json!({"public_metadata": public_metadata});
        let changed = self.instance.change(id, |user, _| metadata::merge(user, &fields));
        changed.ok().map(|user| user.to_value())
    }

    pub fn ban(&self, id: &str, banned: bool) -> Option<Value> {
        let changed = self.instance.change(id, |user, _| {
            user.banned = banned;
            Ok(())
        });
        changed.ok().map(|user| user.to_value())
    }

    /// Deletes a user; returns whether there was one.
    pub fn delete_user(&self, id: &str) -> bool {
        self.instance.delete(id).is_some()
    }

    pub fn user(&self, id: &str) -> Option<Value> {
        self.instance.lock().directory.get(id).map(|user| user.to_value())
    }

    /// Every user object, oldest first.
    pub fn users(&self) -> Vec<Value> {
        self.instance.lock().directory.all().map(|user| user.to_value()).collect()
    }

    /// The id of every user, those of deleted ones too, oldest first.
    pub fn issued_ids(&self) -> Vec<String> {
        self.instance.lock().directory.issued().collect()
    }

    /// A fresh session token of a user. It is also made for users that are deleted, banned or
    /// unknown, as a browser may still have one.
    pub fn session_token(&self, user_id: &str) -> String {
        self.instance.token_of(user_id)
    }

    /// A token of any header and claims, signed with the instance's key as RS256.
    pub fn sign_token(&self, header: Value, claims: Value) -> String {
        self.instance.key.sign(&header, &claims)
    }

    pub fn counts(&self) -> Counts {
        self.instance.counts()
    }

    /// How many `PATCH …/metadata` of a user reached the route, refused and ineffective ones too.
    /// Requests that a fault or a limit answered are not counted.
    pub fn metadata_writes(&self, id: &str) -> usize {
        self.instance.metadata_writes(id)
    }

    /// Delivers every event that a fault dropped, as "replay all missing" in the provider's
    /// dashboard does: the body is the old one, the signature new. Returns how many those are.
    pub fn redeliver_dropped(&self) -> usize {
        self.instance.redeliver_dropped()
    }

    /// Completes when no event is queued, held back, delayed or in flight.
    pub async fn wait_until_idle(&self) {
        self.instance.outbox.wait_until_idle().await;
    }

    /// Stops listening, drops undelivered events and writes the state file.
    pub async fn stop(self) {
        self.server.stop(false).await;
        self.instance.outbox.close();
        if let Some(writer) = &self.writer {
            writer.stop().await;
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The command is sent at once; only its completion would have to be awaited.
        drop(self.server.stop(false));
        self.instance.outbox.close();
    }
}

/// The provider's clock, in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the calendar clock")]
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
