//! Jobs: long work on all users, kept so that any replica can go on with it.
//!
//! Called by `sync`, which does the work, and by `http` and `cli`, which start it and show it.
//!
//! * [`queue`]: how a job is asked for and found; [`lease`]: how it is held, and ends;
//! * [`page`]: a page is compared and written, with the place that the job has reached;
//! * [`checks`]: rows that no page had; [`candidates`]: users to check again;
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
pub use page::{JobMode, JobPage, PrefetchedRows};
pub use queue::JobRequest;

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::jobs;
use super::types::{Json, JsonText, Moment};
use crate::domain::{Counters, DryRunReport, JobKind};
use diesel::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A job as it is stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub struct JobRecord {
    /// Its id, in the order of their making.
    pub id: String,
    kind: String,
    /// Whether it only tells what it would do.
    pub dry_run: bool,
    /// Whether an operator lifted the mass-delete limit on absences.
    pub allow_mass_delete: bool,
    /// `queued`, `running`, `succeeded`, `failed`, `cancelled` or `blocked`.
    pub state: String,
    /// How many users the provider counts.
    pub expected: Option<i64>,
    counters: Json,
    cursor: Option<Json>,
    report: Option<Json>,
    /// Why it ended as it did.
    pub error: Option<String>,
    fence: i64,
    /// When it was asked for.
    pub created_at: Moment,
    /// When somebody first took it up.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub finished_at: Option<Moment>,
}

impl JobRecord {
    /// What it does.
    pub fn kind(&self) -> JobKind {
        JobKind::parse(&self.kind).unwrap_or(JobKind::Drift)
    }

    /// Whether it has not ended.
    pub fn is_active(&self) -> bool {
        matches!(self.state.as_str(), "queued" | "running")
    }

    /// What it has counted.
    pub fn counters(&self) -> Counters {
        serde_json::from_str(&self.counters.0).unwrap_or_default()
    }

    /// Where it stands, as whoever works on it wrote it down.
    pub fn cursor<T: DeserializeOwned>(&self) -> Option<T> {
        read(self.cursor.as_ref())
    }

    /// What it has to tell, likewise.
    pub fn report<T: DeserializeOwned>(&self) -> Option<T> {
        read(self.report.as_ref())
    }

    /// The lease of whoever just claimed it.
    pub fn lease(&self) -> JobLease {
        JobLease { job_id: self.id.clone(), fence: self.fence }
    }
}

fn read<T: DeserializeOwned>(stored: Option<&Json>) -> Option<T> {
    stored.and_then(|json| serde_json::from_str(&json.0).ok())
}

/// A lease on a job: whoever holds it may go on with it, and nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLease {
    job_id: String,
    fence: i64,
}

impl JobLease {
    /// The job's id.
    pub fn job_id(&self) -> &str {
        &self.job_id
    }
}

/// Where a job stands, and what it has counted so far: committed together with the work.
#[derive(Clone, Debug, Default)]
pub struct JobProgress {
    /// Where to go on, as JSON.
    pub cursor: String,
    /// What was counted.
    pub counters: Counters,
    /// What a job has found that only looks.
    pub report: DryRunReport,
}

/// Keeps the lease for another [`LEASE`], where it is still held: nobody else claimed the job, it was
/// not cancelled, and the lease has not run out. Locks the job's row, so whoever is about to claim
/// it comes after this transaction.
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

/// Stores where a job stands; in the transaction that holds it.
fn save(
    connection: &mut AnyConnection,
    lease: &JobLease,
    progress: &JobProgress,
) -> Result<(), StoreError> {
    let (counters, looked) = (json(&progress.counters)?, json(&progress.report)?);
    both!(connection, |inner| diesel::update(jobs::table.find(&lease.job_id))
        .set((
            jobs::cursor.eq(JsonText(&progress.cursor)),
            jobs::counters.eq(JsonText(&counters)),
            jobs::report.eq(JsonText(&looked)),
        ))
        .execute(inner))?;
    Ok(())
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|_| StoreError::Refused("a job's progress could not be written down".into()))
}
