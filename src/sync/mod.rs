//! Keeps rows and provider in step beside the webhooks.
//!
//! Called by `http`, `cli` and `app`. Everything here reads the provider through a [`Directory`]
//! and writes through the store's version guard, so it never matters whether a webhook was faster.
//!
//! * [`refresh`]: fetches a user and applies the snapshot; [`just_in_time`]: at sign-in;
//!   [`resync`]: for an operator;
//! * [`write_back`]: pushes our id, the role and the plan; [`absence`]: users whom the provider
//!   does not know;
//! * [`jobs`]: backfill, reconcile and drift over all users; [`watch`]: recent changes, every
//!   minute;
//! * [`instance`]: verifies the API key's instance; [`budget`]: requests to the provider, shared by
//!   replicas;
//! * [`import`]: users from a file, without the provider.

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
use crate::store::Store;
use crate::store::write_backs::WriteBackPolicy;
use crate::telemetry::{Metrics, Throttle};
use instance::InstanceCheck;
use just_in_time::SingleFlight;
use std::sync::Arc;
use tokio::sync::Notify;

pub struct SyncService {
    store: Store,
    policy: WriteBackPolicy,
    directory: Arc<dyn Directory>,
    instance: InstanceCheck,
    single_flight: SingleFlight,
    wake: Arc<Notify>,
    job_wake: Notify,
    postponed_log: Throttle,
    unkept_log: Throttle,
    metrics: Arc<Metrics>,
}

impl SyncService {
    /// The API key must belong to one of `instances`, if there are any.
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
            postponed_log: Throttle::default(),
            unkept_log: Throttle::default(),
            metrics,
        }
    }

    pub fn wake_write_back(&self) {
        self.wake.notify_one();
    }

    fn source(&self) -> &'static str {
        self.policy.defaults.source
    }
}
