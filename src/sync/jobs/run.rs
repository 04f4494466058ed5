//! One job under its lease: its phases, one after the other.
//!
//! Made by `worker`; the phases are in `scan`, `orphans` and `drift`.

use super::paging::ScanPosition;
use super::{Cursor, RETRY};
use crate::domain::{JobKind, Timestamp};
use crate::provider::Priority;
use crate::store::jobs::{JobLease, JobMode, JobProgress};
use crate::sync::retry::retry;
use crate::sync::{SyncError, SyncService};
use std::sync::Arc;

pub(super) struct JobRun {
    pub(super) sync: Arc<SyncService>,
    pub(super) lease: JobLease,
    pub(super) kind: JobKind,
    /// Nothing is changed but the job itself.
    pub(super) dry_run: bool,
    pub(super) allow_mass_delete: bool,
    /// By the database's clock.
    pub(super) started_at: Timestamp,
    pub(super) progress: JobProgress,
}

impl JobRun {
    /// Continues at the cursor; returns the report as JSON, where the job makes one.
    pub(super) async fn run_phases(
        &mut self,
        mut cursor: Cursor,
    ) -> Result<Option<String>, SyncError> {
        self.verify_instance().await?;
        loop {
            cursor = match cursor {
                Cursor::Scan(paging) => {
                    if paging == ScanPosition::default() {
                        self.record_expected().await?;
                    }
                    let paging = self.scan(paging).await?;
                    if !self.kind.finds_orphans() {
                        return Ok(None);
                    }
                    self.add_remaining(&paging).await?;
                    Cursor::Gather
                }
                Cursor::Gather => {
                    self.gather_undated().await?;
                    Cursor::Look { after: None }
                }
                Cursor::Look { after } => {
                    self.recheck_candidates(after).await?;
                    Cursor::Conclude
                }
                Cursor::Conclude if self.kind == JobKind::Drift => {
                    return Ok(Some(self.report_drift().await?));
                }
                Cursor::Conclude => {
                    self.empty_orphans().await?;
                    return Ok(None);
                }
            };
        }
    }

    /// The key must be of the table's instance, whatever the job does. A dry run pins no instance
    /// for an empty table.
    async fn verify_instance(&self) -> Result<(), SyncError> {
        let dry_run = self.mode() != JobMode::Apply;
        self.retry(|| self.sync.instance.verify_for(dry_run, Priority::Background)).await
    }

    /// Stores how many users the provider has, so that progress can be shown.
    async fn record_expected(&self) -> Result<(), SyncError> {
        let expected = match self.sync.directory.count(Priority::Background).await {
            Ok(count) => i64::try_from(count).unwrap_or(i64::MAX),
            Err(error) => {
                tracing::debug!("the provider does not count its users: {error}");
                return Ok(());
            }
        };
        let store = &self.sync.store;
        let is_stored = self.retry(|| store.expect_users(self.lease.clone(), expected)).await?;
        is_stored.then_some(()).ok_or(SyncError::LeaseLost)
    }

    /// Calls the provider or the database, again and again while it is away.
    pub(super) async fn retry<T, E, F>(&self, call: impl Fn() -> F) -> Result<T, SyncError>
    where
        E: Into<SyncError>,
        F: Future<Output = Result<T, E>>,
    {
        retry(&RETRY, call).await
    }

    pub(super) fn mode(&self) -> JobMode {
        match (self.kind, self.dry_run) {
            (JobKind::Drift, _) => JobMode::Drift,
            (_, true) => JobMode::DryRun,
            (_, false) => JobMode::Apply,
        }
    }

    pub(super) fn progress_at(&self, cursor: &Cursor) -> JobProgress {
        let cursor = serde_json::to_string(cursor).unwrap_or_else(|_| "null".to_owned());
        JobProgress { cursor, ..self.progress.clone() }
    }
}
