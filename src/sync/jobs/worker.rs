//! Workers lease jobs, renew and finish them, whatever their kind.
//!
//! Started by `app`, and called by the commands that run a job themselves.

use super::run::JobRun;
use super::{Cursor, JobView};
use crate::domain::{JobEnd, JobKind};
use crate::store::jobs::{JobConclusion, JobLease, JobProgress, JobRecord};
use crate::sync::retry::renew_until_lost;
use crate::sync::{SyncError, SyncService};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often a worker looks for jobs without having been woken.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

const PROGRESS_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Candidates of a finished job deleted at once.
const DELETE_BATCH: i64 = 5_000;

impl SyncService {
    /// Runs jobs of all kinds until `stopping` turns true; a job under way is then handed over.
    pub async fn run_jobs(self: Arc<Self>, stopping: watch::Receiver<bool>) {
        let mut kinds = JoinSet::new();
        for kind in JobKind::ALL {
            let (sync, stopping) = (Arc::clone(&self), stopping.clone());
            kinds.spawn(sync.run_jobs_of_kind(kind, stopping));
        }
        while kinds.join_next().await.is_some() {}
    }

    async fn run_jobs_of_kind(self: Arc<Self>, kind: JobKind, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            let queued = self.job_wake.notified();
            let claimed = self.store.claim_job(self.source(), kind, None).await;
            let claimed = claimed.unwrap_or_else(|error| {
                tracing::debug!("jobs cannot be looked for: {error}");
                None
            });
            if let Some(job) = claimed {
                let lease = job.lease();
                let stops = tokio::select! {
                    () = self.run_job(job) => false,
                    _ = stopping.wait_for(|stops| *stops) => true,
                };
                if stops {
                    self.hand_over_job(lease).await;
                }
                continue;
            }
            tokio::select! {
                _ = stopping.changed() => {}
                () = queued => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// Runs a leased job until it ends or the lease is lost.
    pub async fn run_job(self: &Arc<Self>, job: JobRecord) {
        let kind = job.kind();
        let lease = job.lease();
        tracing::info!(job = job.id, kind = kind.as_str(), "the job runs here");
        let mut run = JobRun {
            sync: Arc::clone(self),
            lease: lease.clone(),
            kind,
            dry_run: job.dry_run,
            allow_mass_delete: job.allow_mass_delete,
            started_at: job.started_at.unwrap_or(job.created_at),
            progress: JobProgress {
                cursor: String::new(),
                counters: job.counters(),
                report: job.report().unwrap_or_default(),
            },
        };
        let cursor: Cursor = job.cursor().unwrap_or_default();
        run.progress = run.progress_at(&cursor);
        let result = tokio::select! {
            result = run.run_phases(cursor) => result,
            () = renew_until_lost(|| self.store.renew_job_lease(lease.clone())) => Err(SyncError::LeaseLost),
            () = self.log_progress(&lease) => Err(SyncError::LeaseLost),
        };
        self.finish(&lease, kind, result).await;
    }

    /// Logs the progress until it is dropped.
    async fn log_progress(&self, lease: &JobLease) {
        loop {
            tokio::time::sleep(PROGRESS_LOG_INTERVAL).await;
            if let Ok(Some(job)) = self.store.find_job(lease.job_id().to_owned()).await {
                let JobView { kind, counters, rate_per_second, expected, seconds_left, .. } =
                    JobView::of(&job, self.store.now());
                let (job, seen) = (&job.id, counters.seen);
                tracing::info!(
                    job,
                    kind,
                    seen,
                    expected,
                    rate_per_second,
                    seconds_left,
                    "the job goes on"
                );
            }
        }
    }

    async fn finish(
        &self,
        lease: &JobLease,
        kind: JobKind,
        result: Result<Option<String>, SyncError>,
    ) {
        let job = lease.job_id();
        let (end, error, report) = match result {
            Ok(report) => (JobEnd::Succeeded, None, report),
            Err(SyncError::LeaseLost) => {
                tracing::warn!(job, "the job was cancelled, or its lease was lost");
                return;
            }
            Err(stop @ SyncError::Blocked(_)) => (JobEnd::Blocked, Some(stop.to_string()), None),
            Err(stop) => (JobEnd::Failed, Some(stop.to_string()), None),
        };
        let conclusion = JobConclusion { end, error: error.clone(), report };
        let ended = self.store.end_job(lease.clone(), conclusion).await;
        if let Ok(true) = ended {
            self.metrics.count_job(kind.as_str(), end.as_str());
        }
        let kind = kind.as_str();
        match ended {
            Ok(true) => match error {
                None => tracing::info!(job, kind, "the job succeeded"),
                Some(error) => {
                    tracing::error!(job, kind, state = end.as_str(), "the job ended: {error}");
                }
            },
            Ok(false) => tracing::warn!(job, kind, "the job was over already"),
            // The next worker continues at the stored cursor.
            Err(error) => tracing::warn!(job, kind, "the job's end could not be stored: {error}"),
        }
        while let Ok(true) = self.store.delete_candidates(lease.clone(), DELETE_BATCH).await {}
    }
}
