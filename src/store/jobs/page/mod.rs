//! Compares a page of users with their rows and writes what differs, in one transaction with the
//! progress of the job.
//!
//! Called by jobs, so a job that is killed repeats one page at most, and counts no user twice. Rows
//! that agree are not written; about all others the guard decides, so what a webhook wrote
//! meanwhile stays.

mod dry_run;
mod row;

use super::candidates::{self, Candidate};
use super::{JobLease, JobProgress, renew, save};
use crate::domain::{Change, Comparison, Counters, Timestamp, compare};
use crate::store::batch::{UpsertOutcome, UserResult};
use crate::store::changes;
use crate::store::connection::{AnyConnection, both};
use crate::store::leases::{self, ScheduledRun};
use crate::store::schema::write_backs;
use crate::store::write_backs::WriteBackPolicy;
use crate::store::{Store, StoreError};
use diesel::prelude::*;
use dry_run::DryRun;
use row::{Row, load_rows};
use std::collections::HashMap;
use std::sync::Arc;

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
            write(connection, &policy, now, &users, &rows, &mut counters)?;
            Ok(Some(counters))
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
        write(connection, policy, now, &page.users, rows, counters)?;
    } else {
        let mut dry_run = DryRun { policy, rows, counters, report: &mut progress.report };
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

/// Hands what differs to the guard, and enqueues write-backs for rows that agree.
fn write(
    connection: &mut AnyConnection,
    policy: &WriteBackPolicy,
    now: Timestamp,
    users: &[Change],
    rows: &HashMap<String, Row>,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let (mut written, mut needs_write_back) = (Vec::new(), Vec::new());
    for (change, user) in users.iter().filter_map(|change| Some((change, change.snapshot()?))) {
        let row = rows.get(&user.external_id);
        let comparison = compare(row.map(Row::view).as_ref(), user);
        match (comparison, row) {
            (Comparison::Tombstoned, _) => counters.tombstoned += 1,
            (Comparison::Same, Some(row)) => {
                counters.unchanged += 1;
                if policy.defaults.write_back && !row.needs_no_write_back(user) {
                    needs_write_back.push(user.external_id.as_str());
                }
            }
            _ => written.push((change, comparison)),
        }
    }
    written.sort_unstable_by(|(one, _), (other, _)| one.external_id().cmp(other.external_id()));
    let (changes, comparisons): (Vec<&Change>, Vec<Comparison>) = written.into_iter().unzip();
    if !changes.is_empty() {
        let results = changes::apply(connection, policy.defaults, now, &changes)?;
        for (result, comparison) in results.iter().zip(comparisons) {
            count(counters, result, comparison);
        }
    }
    needs_write_back.sort_unstable();
    enqueue_missing(connection, policy.defaults.source, &needs_write_back, now)
}

fn count(counters: &mut Counters, result: &UserResult, comparison: Comparison) {
    match result.outcome {
        UpsertOutcome::Created => {
            counters.created += 1;
            counters.missing += 1;
        }
        UpsertOutcome::Updated => {
            counters.updated += 1;
            if comparison == Comparison::Returned {
                counters.missing += 1;
            } else {
                counters.stale += 1;
            }
        }
        UpsertOutcome::Unchanged | UpsertOutcome::Superseded | UpsertOutcome::Absent => {
            counters.unchanged += 1;
        }
        UpsertOutcome::Tombstoned => counters.tombstoned += 1,
    }
}

/// Enqueues write-backs, and leaves those that are due or parked as they are.
fn enqueue_missing(
    connection: &mut AnyConnection,
    source: &str,
    external_ids: &[&str],
    created_at: Timestamp,
) -> Result<(), StoreError> {
    if external_ids.is_empty() {
        return Ok(());
    }
    let now = connection.now()?;
    let rows: Vec<_> = external_ids
        .iter()
        .map(|external_id| {
            (
                write_backs::source.eq(source),
                write_backs::external_id.eq(external_id),
                write_backs::next_try_at.eq(now),
                write_backs::created_at.eq(created_at),
            )
        })
        .collect();
    both!(connection, |inner| diesel::insert_into(write_backs::table)
        .values(&rows)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(())
}
