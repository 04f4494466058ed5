//! Claims, renews and ends jobs.
//!
//! A lease lasts a while of the database's clock and is renewed by everything that its holder
//! commits. Each claim raises a fence that every later step carries: a step with an older fence, or
//! an expired lease, does nothing.

use super::queue::{find, finish};
use super::{JobLease, JobRecord, renew};
use crate::domain::{JobEnd, JobKind, Timestamp};
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::jobs;
use crate::store::types::JsonText;
use crate::store::{Store, StoreError};
use diesel::prelude::*;
use std::time::Duration;

/// After this time another process continues the job of one that died. Longer than PostgreSQL lets
/// a transaction idle, so that a paused one is gone by then.
pub const LEASE: Duration = Duration::from_secs(15);

/// Whether nobody holds the job. A lease that ends later than any that is given now was given while
/// the clock was ahead.
macro_rules! is_free {
    ($now:expr) => {
        jobs::leased_until
            .is_null()
            .or(jobs::leased_until.lt($now))
            .or(jobs::leased_until.gt($now.plus(LEASE * 2)))
    };
}

#[derive(Clone, Debug)]
pub struct JobConclusion {
    pub end: JobEnd,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// JSON; `None` keeps the report so far.
    pub report: Option<String>,
}

impl Store {
    /// Claims a job without a lease: `only`, or the oldest of this kind.
    pub async fn claim_job(
        &self,
        source: &'static str,
        kind: JobKind,
        only: Option<String>,
    ) -> Result<Option<JobRecord>, StoreError> {
        // Mostly there is none, and a read needs no write lock.
        let wanted = only.clone();
        let free =
            self.read(move |connection| find_free(connection, source, kind, wanted.as_deref()));
        if free.await?.is_none() {
            return Ok(None);
        }
        let clock = self.clock.clone();
        self.write(move |connection| {
            connection.read_clock(&clock)?;
            claim(connection, source, kind, only.as_deref())
        })
        .await
    }

    /// Returns whether the lease is still held.
    pub async fn renew_job_lease(&self, lease: JobLease) -> Result<bool, StoreError> {
        self.write(move |connection| renew(connection, &lease)).await
    }

    /// Lets another replica continue a job at once.
    pub async fn release_job(&self, lease: JobLease) -> Result<(), StoreError> {
        self.write(move |connection| {
            both!(connection, |inner| diesel::update(
                jobs::table
                    .find(&lease.job_id)
                    .filter(jobs::fence.eq(lease.fence).and(jobs::state.eq("running")))
            )
            .set((jobs::leased_until.eq(None::<Timestamp>), jobs::fence.eq(lease.fence + 1)))
            .execute(inner))?;
            Ok(())
        })
        .await
    }

    /// Stores the provider's count of users. Returns whether the lease is still held.
    pub async fn expect_users(&self, lease: JobLease, expected: i64) -> Result<bool, StoreError> {
        self.write_leased(lease, move |connection, lease| {
            both!(connection, |inner| diesel::update(jobs::table.find(&lease.job_id))
                .set(jobs::expected.eq(expected))
                .execute(inner))?;
            Ok(())
        })
        .await
    }

    /// Ends a job where the lease is still held; returns whether it was.
    pub async fn end_job(
        &self,
        lease: JobLease,
        conclusion: JobConclusion,
    ) -> Result<bool, StoreError> {
        self.write_leased(lease, move |connection, lease| {
            if let Some(report) = &conclusion.report {
                both!(connection, |inner| diesel::update(jobs::table.find(&lease.job_id))
                    .set(jobs::report.eq(JsonText(report)))
                    .execute(inner))?;
            }
            let JobConclusion { end, error, .. } = conclusion;
            finish(connection, &lease.job_id, end.as_str(), error.as_deref())
        })
        .await
    }
}

/// The oldest job without a lease, by the database's clock.
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
            .filter(is_free!(now));
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
    // A second claim finds another fence, or a lease that was renewed after all.
    let claimed = both!(connection, |inner| diesel::update(
        jobs::table.find(&free.id).filter(jobs::fence.eq(free.fence))
    )
    .filter(jobs::state.eq_any(["queued", "running"]))
    .filter(is_free!(now))
    .set((
        jobs::state.eq("running"),
        jobs::fence.eq(free.fence + 1),
        jobs::leased_until.eq(now.plus(LEASE)),
        jobs::started_at.eq(free.started_at.unwrap_or(now)),
    ))
    .execute(inner))?;
    if claimed == 1 { find(connection, &free.id) } else { Ok(None) }
}
