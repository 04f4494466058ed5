//! The yard: what keeps rows and provider in step beside the webhooks.
//!
//! Called by `http` and `app`. Everything here asks the provider through a [`Directory`] and writes
//! through the store's guard, so it never matters whether a webhook was faster.
//!
//! * [`SyncService`] fetches a user and applies what came ([`refresh`]);
//! * [`just_in_time`]: a user who signs in before their event came;
//! * [`resync`]: an operator asks for some users anew;
//! * [`write_back`]: the provider is told our id, the role and the plan;
//! * [`absence`]: users whom the provider knows no longer, and the conditions of acting on it;
//! * [`jobs`]: long work on all users; [`watch`]: what changed last, every minute;
//! * [`instance`]: proof that the API key belongs to the instance that the table belongs to;
//! * [`budget`]: requests to the provider, shared with all replicas;
//! * [`import`]: users from a file; the one room here that asks nobody, for `cli` alone.

mod absence;
mod bisection;
mod budget;
mod error;
pub mod import;
mod instance;
pub mod jobs;
mod just_in_time;
mod refresh;
mod resync;
mod retry;
mod watch;
mod write_back;

pub use budget::{SharedBudget, Unbounded};
pub use error::SyncError;
pub use resync::{ResyncOutcome, ResyncResult};
pub use write_back::WRITE_BACK_OUTCOMES;

use crate::provider::Directory;
use crate::store::write_backs::WriteBackPolicy;
use crate::store::{Moment, Store};
use crate::telemetry::Metrics;
use instance::InstanceCheck;
use jiff::Timestamp;
use just_in_time::SingleFlight;
use std::sync::Arc;
use tokio::sync::Notify;

/// Brings rows in step with what the provider says, and the provider with what rows say.
pub struct SyncService {
    store: Store,
    policy: WriteBackPolicy,
    directory: Arc<dyn Directory>,
    instance: InstanceCheck,
    single_flight: SingleFlight,
    /// Wakes the worker: there is something to write back.
    wake: Arc<Notify>,
    /// Wakes those who look for jobs.
    job_wake: Notify,
    metrics: Arc<Metrics>,
}

impl SyncService {
    /// A sync of the users whom `directory` knows. Where `instances` are given, the API key
    /// must belong to one of them. Whoever notes something to write back gives a `wake`.
    pub fn new(
        store: Store,
        policy: WriteBackPolicy,
        directory: Arc<dyn Directory>,
        instances: Vec<String>,
        wake: Arc<Notify>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let instance = InstanceCheck::new(
            store.clone(),
            policy.defaults.source,
            Arc::clone(&directory),
            instances,
        );
        let single_flight = SingleFlight::default();
        Self {
            store,
            policy,
            directory,
            instance,
            single_flight,
            wake,
            job_wake: Notify::new(),
            metrics,
        }
    }

    /// Tells the worker that there is something to write back.
    pub fn wake_write_back(&self) {
        self.wake.notify_one();
    }

    fn source(&self) -> &'static str {
        self.policy.defaults.source
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a job is an edge: here the time of its step is taken"
)]
pub fn now() -> Moment {
    Moment::from_timestamp(Timestamp::now())
}
