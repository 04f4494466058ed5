//! Compares a page of users with their rows and writes what differs, in one transaction with the
//! progress of the job.
//!
//! Called by jobs, so a job that is killed repeats one page at most, and counts no user twice. Rows
//! that agree are not written; about all others the guard decides, so what a webhook wrote
//! meanwhile stays.

mod dry_run;
mod row;
mod write;

use super::candidates::{self, Candidate};
use super::{JobLease, JobProgress, renew, save};
use crate::domain::{Change, Counters, Timestamp};
use crate::store::batch::UserResult;
use crate::store::connection::AnyConnection;
use crate::store::leases::{self, ScheduledRun};
use crate::store::write_backs::WriteBackPolicy;
use crate::store::{Store, StoreError};
use dry_run::DryRun;
use row::load_rows;
use std::collections::HashMap;
use std::sync::Arc;
use write::write;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobMode {
    /// Writes the rows that differ.
    Apply,
    /// Counts the rows that differ.
    #[default]
    DryRun,
    /// Counts them, and keeps each as a candidate to compare again.
    Drift,
}

/// A page, and the progress of the job before it.
#[derive(Debug, Default)]
pub struct JobPage {
    pub users: Vec<Change>,
    /// Users of the page that could not be read.
    pub unreadable: usize,
    pub mode: JobMode,
    /// The place after the page, with the counters before it.
    pub progress: JobProgress,
    /// Users whose rows the page should have had.
    pub orphans: Vec<String>,
    /// A part of a page: its counters are stored with the place after the whole.
    pub is_part: bool,
}

impl Store {
    /// Commits a page. Returns the progress; `None` where the lease is lost.
    pub async fn commit_page(
        &self,
        lease: JobLease,
        policy: WriteBackPolicy,
        now: Timestamp,
        page: Arc<JobPage>,
    ) -> Result<Option<JobProgress>, StoreError> {
        // No client waits for a page: a crash of the server that loses one loses its place too. The
        // end of the job is flushed, and with it all that came before.
        self.write_async_commit(move |connection| commit(connection, &lease, &policy, now, &page))
            .await
    }

    /// Writes fetched users without a job. Returns what was done; `None` where the lease is lost.
    pub async fn apply_users(
        &self,
        run: ScheduledRun,
        policy: WriteBackPolicy,
        now: Timestamp,
        users: Vec<Change>,
    ) -> Result<Option<Counters>, StoreError> {
        self.write(move |connection| {
            if !leases::renew(connection, &run)? {
                return Ok(None);
            }
            let ids = users.iter().map(Change::external_id);
            let rows = load_rows(connection, policy.defaults.source, ids)?;
            let mut counters = Counters::default();
            write(connection, &policy, now, &users, &rows, false)?.count_into(&mut counters);
            Ok(Some(counters))
        })
        .await
    }

    /// Likewise, for an operator. Returns one result a user, by external id.
    pub async fn resync_users(
        &self,
        policy: WriteBackPolicy,
        now: Timestamp,
        users: Vec<Change>,
    ) -> Result<HashMap<String, UserResult>, StoreError> {
        self.write(move |connection| {
            let ids = users.iter().map(Change::external_id);
            let rows = load_rows(connection, policy.defaults.source, ids)?;
            let written = write(connection, &policy, now, &users, &rows, true)?.written;
            Ok(written
                .into_iter()
                .map(|((change, _), result)| (change.external_id().to_owned(), result))
                .collect())
        })
        .await
    }
}

fn commit(
    connection: &mut AnyConnection,
    lease: &JobLease,
    policy: &WriteBackPolicy,
    now: Timestamp,
    page: &JobPage,
) -> Result<Option<JobProgress>, StoreError> {
    if !renew(connection, lease)? {
        return Ok(None);
    }
    let ids = page.users.iter().map(Change::external_id);
    let rows = &load_rows(connection, policy.defaults.source, ids)?;
    let mut progress = page.progress.clone();
    let counters = &mut progress.counters;
    counters.seen += u64::try_from(page.users.len() + page.unreadable).unwrap_or_default();
    counters.failed += u64::try_from(page.unreadable).unwrap_or_default();
    let mut found: Vec<Candidate> = page.orphans.iter().cloned().map(Candidate::orphan).collect();
    if page.mode == JobMode::Apply {
        write(connection, policy, now, &page.users, rows, false)?.count_into(counters);
    } else {
        let report = &mut progress.report;
        let mut dry_run = DryRun { policy, now, rows, counters, report };
        for user in page.users.iter().filter_map(Change::snapshot) {
            let differing = dry_run.add(user);
            if page.mode == JobMode::Drift {
                found.extend(differing);
            }
        }
    }
    candidates::add(connection, lease, &found)?;
    if !page.is_part {
        save(connection, lease, &progress)?;
    }
    Ok(Some(progress))
}
