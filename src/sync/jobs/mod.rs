//! Jobs: backfill, reconcile and drift over all users, which any replica can continue.
//!
//! Enqueued by `http`, `cli` and the schedule; run by the replica, or command, that leases them.
//! Everything that a job does is committed under its lease, so a worker that lost it, because it
//! was paused or cut off, changes nothing any more.
//!
//! * [`worker`] leases, renews and finishes jobs; [`run`]: the phases of one;
//! * [`scan`] reads all users of the provider, in the order of [`paging`];
//! * [`orphans`] looks again for users whose rows no page held, and empties them where that is
//!   safe;
//! * [`drift`]: the report; [`view`]: a job as operators see it.

mod drift;
mod orphans;
mod paging;
mod run;
mod scan;
mod view;
mod worker;

pub use drift::{DriftGroup, DriftReport};
pub use view::JobView;

use super::SyncService;
use super::retry::RetryPolicy;
use crate::domain::Backoff;
use crate::store::StoreError;
use crate::store::jobs::{JobLease, JobRecord, JobRequest};
use paging::ScanPosition;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// For an hour: a provider in trouble is back by then, or an operator has to look.
const RETRY: RetryPolicy = RetryPolicy {
    caller: "a job",
    backoff: Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) },
    give_up_after: Duration::from_secs(60 * 60),
};

/// How far a job is; stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
enum Cursor {
    Scan(ScanPosition),
    /// All pages are read; undated rows are added to the candidates.
    Gather,
    /// Candidates behind this one are looked up again.
    Look {
        after: Option<String>,
    },
    /// All candidates are checked: report, or empty rows.
    Conclude,
}

impl Default for Cursor {
    fn default() -> Self {
        Self::Scan(ScanPosition::default())
    }
}

impl SyncService {
    /// Enqueues a job unless one of its kind is active. Returns the active one, and if it is new.
    pub async fn enqueue_job(&self, request: JobRequest) -> Result<(JobRecord, bool), StoreError> {
        let (job, is_new) = self.store.enqueue_job(self.source(), request).await?;
        if is_new {
            let JobRequest { kind, dry_run, allow_mass_delete } = request;
            tracing::info!(
                job = job.id,
                kind = kind.as_str(),
                dry_run,
                allow_mass_delete,
                "a job is queued"
            );
            self.job_wake.notify_waiters();
        }
        Ok((job, is_new))
    }

    /// Leases this job, unless another worker has it.
    pub async fn claim_job(&self, job: &JobRecord) -> Result<Option<JobRecord>, StoreError> {
        self.store.claim_job(self.source(), job.kind(), Some(job.id.clone())).await
    }

    /// Lets another worker continue a job that was leased here.
    pub async fn hand_over_job(&self, lease: JobLease) {
        let job = lease.job_id().to_owned();
        match self.store.release_job(lease).await {
            Ok(()) => tracing::info!(job, "the job is left to others"),
            Err(error) => tracing::warn!(job, "the job is left when its lease ends: {error}"),
        }
    }
}
