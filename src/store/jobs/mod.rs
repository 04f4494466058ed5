//! Jobs: long work on all users, stored so that any replica can continue it.
//!
//! Called by `sync`, which does the work, and by `http` and `cli`, which start and show jobs.
//!
//! * [`queue`]: enqueues, finds and cancels jobs; [`lease`]: claims and ends them;
//! * [`page`]: compares and writes a page, together with the progress of the job;
//! * [`checks`]: rows that no page had, and rows of deleted users; [`candidates`]: users to check
//!   again;
//! * [`orphans`]: rows whose user the provider does not know.

mod candidates;
mod checks;
mod lease;
mod orphans;
mod page;
mod queue;

pub use candidates::Candidate;
pub use checks::{CreationCursor, CreationRange};
pub use lease::{JobConclusion, LEASE};
pub use orphans::EmptyOutcome;
pub use page::{JobMode, JobPage};
pub use queue::JobRequest;

use super::connection::{AnyConnection, both};
use super::schema::jobs;
use super::types::{Json, JsonText};
use super::{Store, error::StoreError};
use crate::domain::{Counters, DryRunReport, JobKind, Timestamp};
use diesel::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub struct JobRecord {
    /// Ids are in the order of creation.
    pub id: String,
    kind: String,
    /// Whether it changes nothing and reports what it would do.
    pub dry_run: bool,
    /// Whether an operator lifted the mass-delete limit.
    pub allow_mass_delete: bool,
    /// `queued`, `running`, `succeeded`, `failed`, `cancelled` or `blocked`.
    pub state: String,
    /// The provider's count of users.
    pub expected: Option<i64>,
    counters: Json,
    cursor: Option<Json>,
    report: Option<Json>,
    pub error: Option<String>,
    fence: i64,
    pub created_at: Timestamp,
    /// When a process first claimed it.
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

impl JobRecord {
    pub fn kind(&self) -> JobKind {
        JobKind::parse(&self.kind).unwrap_or(JobKind::Drift)
    }

    pub fn is_active(&self) -> bool {
        matches!(self.state.as_str(), "queued" | "running")
    }

    pub fn counters(&self) -> Counters {
        serde_json::from_str(&self.counters.0).unwrap_or_default()
    }

    /// The place that the job has reached.
    pub fn cursor<T: DeserializeOwned>(&self) -> Option<T> {
        read(self.cursor.as_ref())
    }

    pub fn report<T: DeserializeOwned>(&self) -> Option<T> {
        read(self.report.as_ref())
    }

    /// The lease of the claim that returned this record.
    pub fn lease(&self) -> JobLease {
        JobLease { job_id: self.id.clone(), fence: self.fence }
    }
}

fn read<T: DeserializeOwned>(stored: Option<&Json>) -> Option<T> {
    stored.and_then(|json| serde_json::from_str(&json.0).ok())
}

/// The right to continue a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLease {
    job_id: String,
    fence: i64,
}

impl JobLease {
    pub fn job_id(&self) -> &str {
        &self.job_id
    }
}

/// The place that a job has reached, committed together with its work.
#[derive(Clone, Debug, Default)]
pub struct JobProgress {
    /// Where to continue, as JSON.
    pub cursor: String,
    pub counters: Counters,
    /// What a dry run or a search for drift has found.
    pub report: DryRunReport,
}

/// Renews the lease for [`LEASE`], where it is still held: no replica has claimed the job since, it
/// was not cancelled, and the lease has not expired. Locks the job's row, so that the next claim
/// waits for this transaction.
fn renew(connection: &mut AnyConnection, lease: &JobLease) -> Result<bool, StoreError> {
    let now = connection.now()?;
    let row = jobs::table
        .find(&lease.job_id)
        .filter(jobs::fence.eq(lease.fence).and(jobs::state.eq("running")))
        .filter(jobs::leased_until.gt(now));
    let kept = both!(connection, |inner| diesel::update(row)
        .set(jobs::leased_until.eq(now.plus(LEASE)))
        .execute(inner))?;
    Ok(kept == 1)
}

impl Store {
    /// Runs `work` as one transaction, where the lease is still held. Returns whether it is.
    async fn write_leased(
        &self,
        lease: JobLease,
        work: impl FnOnce(&mut AnyConnection, &JobLease) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let is_held = renew(connection, &lease)?;
            if is_held {
                work(connection, &lease)?;
            }
            Ok(is_held)
        })
        .await
    }
}

/// Stores the progress, in the transaction that renewed the lease.
fn save(
    connection: &mut AnyConnection,
    lease: &JobLease,
    progress: &JobProgress,
) -> Result<(), StoreError> {
    let (counters, report) = (json(&progress.counters)?, json(&progress.report)?);
    both!(connection, |inner| diesel::update(jobs::table.find(&lease.job_id))
        .set((
            jobs::cursor.eq(JsonText(&progress.cursor)),
            jobs::counters.eq(JsonText(&counters)),
            jobs::report.eq(JsonText(&report)),
        ))
        .execute(inner))?;
    Ok(())
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|_| StoreError::Refused("a job's progress could not be written down".into()))
}
