//! Users that a job checks again after all pages are read.
//!
//! Called by the jobs of `sync`: live rows that no page had are looked up again, and differences
//! that drift found are compared once more. Stored in the database, so that a job's memory does not
//! depend on their number.

use super::{JobLease, JobProgress, save};
use crate::domain::{DriftKind, Timestamp};
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::{job_candidates, users};
use crate::store::{Store, StoreError, absences};
use diesel::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    drift_kind: DriftKind,
    pub external_id: String,
    row_synced_at: Option<Timestamp>,
}

impl Candidate {
    /// A live row that the page should have had.
    pub fn orphan(external_id: String) -> Self {
        Self::of(DriftKind::Orphan, external_id, None)
    }

    /// Drift of a row that was last written at `row_synced_at`.
    pub(super) fn of(
        drift_kind: DriftKind,
        external_id: String,
        row_synced_at: Option<Timestamp>,
    ) -> Self {
        Self { drift_kind, external_id, row_synced_at }
    }
}

impl Store {
    /// Adds candidates. Returns whether the lease is still held.
    pub async fn add_candidates(
        &self,
        lease: JobLease,
        candidates: Vec<Candidate>,
    ) -> Result<bool, StoreError> {
        self.write_leased(lease, move |connection, lease| add(connection, lease, &candidates)).await
    }

    /// Candidates after the user `after`, in the order of external ids.
    pub async fn candidates(
        &self,
        lease: JobLease,
        drift_kind: DriftKind,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            Ok(both!(connection, |inner| {
                let mut some =
                    of(&lease, drift_kind).select(job_candidates::external_id).into_boxed();
                if let Some(after) = &after {
                    some = some.filter(job_candidates::external_id.gt(after));
                }
                some.order(job_candidates::external_id).limit(limit).load(inner)
            })?)
        })
        .await
    }

    /// Stores the result of a second look-up and the progress: `confirmed` users are confirmed absent,
    /// `dropped` ones are no candidates any more. Returns whether the lease is still held.
    pub async fn confirm_candidates(
        &self,
        lease: JobLease,
        dropped: Vec<String>,
        confirmed: Vec<absences::Absence>,
        progress: JobProgress,
    ) -> Result<bool, StoreError> {
        self.write_leased(lease, move |connection, lease| {
            both!(connection, |inner| diesel::delete(
                of(lease, DriftKind::Orphan).filter(job_candidates::external_id.eq_any(&dropped))
            )
            .execute(inner))?;
            for absence in &confirmed {
                let row = job_candidates::table.find((
                    lease.job_id(),
                    DriftKind::Orphan.as_str(),
                    &absence.external_id,
                ));
                both!(connection, |inner| diesel::update(row)
                    .set((
                        job_candidates::row_updated_at.eq(absence.baseline.updated_at_ms),
                        job_candidates::row_projection.eq(absence.baseline.projection),
                        job_candidates::looked_at.eq(absence.sent_at_ms),
                    ))
                    .execute(inner))?;
            }
            save(connection, lease, &progress)
        })
        .await
    }

    /// Deletes some candidates of a job that has ended. Returns whether there may be more.
    pub async fn delete_candidates(&self, lease: JobLease, limit: i64) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let some: Vec<(String, String)> = both!(connection, |inner| job_candidates::table
                .filter(job_candidates::job_id.eq(lease.job_id()))
                .select((job_candidates::drift_kind, job_candidates::external_id))
                .limit(limit)
                .load(inner))?;
            for drift_kind in DriftKind::ALL.map(DriftKind::as_str) {
                let ids: Vec<&String> =
                    some.iter().filter(|one| one.0 == drift_kind).map(|one| &one.1).collect();
                both!(connection, |inner| diesel::delete(
                    job_candidates::table
                        .filter(job_candidates::job_id.eq(lease.job_id()))
                        .filter(job_candidates::drift_kind.eq(drift_kind))
                        .filter(job_candidates::external_id.eq_any(ids))
                )
                .execute(inner))?;
            }
            Ok(!some.is_empty())
        })
        .await
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn of<'a>(lease: &'a JobLease, drift_kind: DriftKind) -> _ {
    let (job_id, drift_kind): (&'a str, &'static str) = (lease.job_id(), drift_kind.as_str());
    job_candidates::table
        .filter(job_candidates::job_id.eq(job_id))
        .filter(job_candidates::drift_kind.eq(drift_kind))
}

/// Adds candidates that are not there yet.
pub(super) fn add(
    connection: &mut AnyConnection,
    lease: &JobLease,
    candidates: &[Candidate],
) -> Result<(), StoreError> {
    if candidates.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = candidates
        .iter()
        .map(|candidate| {
            (
                job_candidates::job_id.eq(lease.job_id()),
                job_candidates::drift_kind.eq(candidate.drift_kind.as_str()),
                job_candidates::external_id.eq(&candidate.external_id),
                job_candidates::row_synced_at.eq(candidate.row_synced_at),
            )
        })
        .collect();
    both!(connection, |inner| diesel::insert_into(job_candidates::table)
        .values(&rows)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(())
}

impl Store {
    /// Those of up to `limit` candidates after the user `after` whose rows were not written since,
    /// or are still missing. Also the last candidate read, unless these were all.
    pub async fn recheck_candidates(
        &self,
        source: &'static str,
        lease: JobLease,
        drift_kind: DriftKind,
        after: Option<String>,
        limit: i64,
    ) -> Result<(Vec<String>, Option<String>), StoreError> {
        self.read(move |connection| {
            type Read = (String, Option<Timestamp>, Option<i64>, Option<Timestamp>, Option<String>);
            let read: Vec<Read> = both!(connection, |inner| {
                let row = users::table.on(users::external_id
                    .eq(job_candidates::external_id)
                    .and(users::source.eq(source)));
                let mut some = of(&lease, drift_kind)
                    .left_join(row)
                    .select((
                        job_candidates::external_id,
                        job_candidates::row_synced_at,
                        job_candidates::looked_at,
                        users::synced_at.nullable(),
                        users::status.nullable(),
                    ))
                    .into_boxed();
                if let Some(after) = &after {
                    some = some.filter(job_candidates::external_id.gt(after));
                }
                some.order(job_candidates::external_id).limit(limit).load(inner)
            })?;
            let is_full = i64::try_from(read.len()).is_ok_and(|count| count == limit);
            let last = read.last().filter(|_| is_full).map(|one| one.0.clone());
            let still_differs = |(_, found_at, looked_at, synced, status): &Read| {
                let is_live = status.as_ref().is_some_and(|status| status != "deleted");
                match drift_kind {
                    DriftKind::Missing => !is_live,
                    DriftKind::Orphan => is_live && looked_at.is_some(),
                    _ => is_live && found_at == synced,
                }
            };
            let differing = read.into_iter().filter(still_differs).map(|one| one.0).collect();
            Ok((differing, last))
        })
        .await
    }
}
