//! How a job is leased, kept and ended.
//!
//! A lease lasts a while of the database's clock and is renewed by everything that whoever holds it
//! commits. Each claim raises a fence, which every later step carries: one that finds another fence,
//! or whose lease has run out, does nothing.

use super::queue::{find, finish};
use super::{JobLease, JobRecord, renew};
use crate::domain::{JobEnd, JobKind};
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::jobs;
use crate::store::types::{JsonText, Moment};
use crate::store::{Store, StoreError};
use diesel::prelude::*;
use std::time::Duration;

/// How long a lease lasts: a process that died is followed by another one after this time. Longer
/// than PostgreSQL lets a transaction idle, so that one which was paused is gone by then.
pub const LEASE: Duration = Duration::from_secs(15);

/// How a job ends.
#[derive(Clone, Debug)]
pub struct JobConclusion {
    /// In which state.
    pub end: JobEnd,
    /// Why, where it did not succeed.
    pub error: Option<String>,
    /// What it has to tell, as JSON; `None` leaves what it told so far.
    pub report: Option<String>,
}

impl Store {
    /// Claims a job that nobody is at: this one, or the oldest of this kind.
    pub async fn claim_job(
        &self,
        source: &'static str,
        kind: JobKind,
        only: Option<String>,
    ) -> Result<Option<JobRecord>, StoreError> {
        // Most of the time there is nothing, and a look needs no turn to write.
        let wanted = only.clone();
        let looked =
            self.read(move |connection| find_free(connection, source, kind, wanted.as_deref()));
        if looked.await?.is_none() {
            return Ok(None);
        }
        self.write(move |connection| claim(connection, source, kind, only.as_deref())).await
    }

    /// Keeps a lease. Returns whether it is still held.
    pub async fn renew_job_lease(&self, lease: JobLease) -> Result<bool, StoreError> {
        self.write(move |connection| renew(connection, &lease)).await
    }

    /// Lets others go on with a job at once.
    pub async fn release_job(&self, lease: JobLease) -> Result<(), StoreError> {
        self.write(move |connection| {
            both!(connection, |inner| diesel::update(
                jobs::table
                    .find(&lease.job_id)
                    .filter(jobs::fence.eq(lease.fence).and(jobs::state.eq("running")))
            )
            .set((jobs::leased_until.eq(None::<Moment>), jobs::fence.eq(lease.fence + 1)))
            .execute(inner))?;
            Ok(())
        })
        .await
    }

    /// Notes how many users the provider counts. Returns whether the lease is still held.
    pub async fn expect_users(&self, lease: JobLease, expected: i64) -> Result<bool, StoreError> {
        self.write(move |connection| {
            if !renew(connection, &lease)? {
                return Ok(false);
            }
            both!(connection, |inner| diesel::update(jobs::table.find(&lease.job_id))
                .set(jobs::expected.eq(expected))
                .execute(inner))?;
            Ok(true)
        })
        .await
    }

    /// Ends a job. Returns whether the lease was still held; else nothing is done.
    pub async fn end_job(
        &self,
        lease: JobLease,
        conclusion: JobConclusion,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            if !renew(connection, &lease)? {
                return Ok(false);
            }
            if let Some(report) = &conclusion.report {
                both!(connection, |inner| diesel::update(jobs::table.find(&lease.job_id))
                    .set(jobs::report.eq(JsonText(report)))
                    .execute(inner))?;
            }
            finish(
                connection,
                &lease.job_id,
                conclusion.end.as_str(),
                conclusion.error.as_deref(),
            )?;
            Ok(true)
        })
        .await
    }
}

/// The oldest job that nobody is at, by the database's clock.
fn find_free(
    connection: &mut AnyConnection,
    source: &str,
    kind: JobKind,
    only: Option<&str>,
) -> Result<Option<JobRecord>, StoreError> {
    let now = connection.now()?;
    Ok(both!(connection, |inner| {
        let mut free = jobs::table.select(JobRecord::as_select()).into_boxed();
        free = free
            .filter(jobs::source.eq(source).and(jobs::kind.eq(kind.as_str())))
            .filter(jobs::state.eq_any(["queued", "running"]))
            .filter(jobs::leased_until.is_null().or(jobs::leased_until.lt(now)));
        if let Some(only) = only {
            free = free.filter(jobs::id.eq(only));
        }
        free.order(jobs::id).first(inner).optional()
    })?)
}

fn claim(
    connection: &mut AnyConnection,
    source: &str,
    kind: JobKind,
    only: Option<&str>,
) -> Result<Option<JobRecord>, StoreError> {
    let now = connection.now()?;
    let free = find_free(connection, source, kind, only)?;
    let Some(free) = free else {
        return Ok(None);
    };
    // Whoever comes second finds another fence, or a lease that was renewed after all.
    let claimed = both!(connection, |inner| diesel::update(
        jobs::table.find(&free.id).filter(jobs::fence.eq(free.fence))
    )
    .filter(jobs::state.eq_any(["queued", "running"]))
    .filter(jobs::leased_until.is_null().or(jobs::leased_until.lt(now)))
    .set((
        jobs::state.eq("running"),
        jobs::fence.eq(free.fence + 1),
        jobs::leased_until.eq(now.plus(LEASE)),
        jobs::started_at.eq(free.started_at.unwrap_or(now)),
    ))
    .execute(inner))?;
    if claimed == 1 { find(connection, &free.id) } else { Ok(None) }
}
