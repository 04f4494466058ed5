//! Jobs: long work on all users, which any replica can go on with.
//!
//! Started by `http`, `cli` and the schedules; run by whoever leases them first: a replica with
//! workers, or the command line. Everything that a job does is committed under its lease, so one
//! that lost it, because it was paused or cut off for too long, changes nothing any more.
//!
//! * [`worker`]: a job is taken up, kept and ended; [`run`]: its phases, one after the other;
//! * [`scan`] walks through all users of the provider, in the order of [`paging`];
//! * [`orphans`] looks again for users whose rows no page held, and acts where that is safe;
//! * [`drift`] tells what differs;
//! * [`view`] is a job as it is shown.

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

/// For an hour at most: a provider in trouble is back by then, or an operator has to look.
const RETRY: RetryPolicy = RetryPolicy {
    caller: "a job",
    backoff: Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) },
    attempts: u32::MAX,
    give_up_after: Duration::from_secs(60 * 60),
};

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
enum Cursor {
    /// Pages are read.
    Scan(ScanPosition),
    /// All pages are read; rows outside of them are gathered.
    Gather,
    /// Candidates behind this one are looked up again.
    Look { after: Option<String> },
    /// All that is known is known.
    Conclude,
}

impl Default for Cursor {
    fn default() -> Self {
        Self::Scan(ScanPosition::default())
    }
}

impl SyncService {
    /// Asks for a job, unless one of its kind is active. Returns the one that is active now, and
    /// whether it is the new one.
    pub async fn enqueue_job(&self, asked: JobRequest) -> Result<(JobRecord, bool), StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        let (job, is_new) = self.store.enqueue_job(self.source(), id, asked).await?;
        if is_new {
            let JobRequest { kind, dry_run, allow_mass_delete } = asked;
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

    /// Claims this very job, where nobody is at it.
    pub async fn claim_job(&self, job: &JobRecord) -> Result<Option<JobRecord>, StoreError> {
        self.store.claim_job(self.source(), job.kind(), Some(job.id.clone())).await
    }

    /// Lets others go on with a job that was claimed here.
    pub async fn hand_over_job(&self, lease: JobLease) {
        let job = lease.job_id().to_owned();
        match self.store.release_job(lease).await {
            Ok(()) => tracing::info!(job, "the job is left to others"),
            Err(error) => tracing::warn!(job, "the job is left when its lease ends: {error}"),
        }
    }
}
