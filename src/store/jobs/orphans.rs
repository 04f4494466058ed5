//! Empties the rows of orphans: candidates that a second look-up did not find either. Called by the
//! jobs of `sync`; within the mass-delete limit, unless an operator lifts it.

use super::candidates::of;
use super::{JobLease, JobProgress, renew, save};
use crate::domain::{AbsenceBaseline, DriftKind, Timestamp, horizon};
use crate::store::connection::both;
use crate::store::schema::{job_candidates, users};
use crate::store::users::newest_and_oldest;
use crate::store::{RowDefaults, Store, StoreError, absences};
use diesel::dsl::{exists, not};
use diesel::prelude::*;

#[derive(Debug)]
pub enum EmptyOutcome {
    /// The rows are emptied; the progress of the job.
    Emptied(JobProgress),
    /// More rows than may be emptied in a day.
    LimitExceeded {
        live: u64,
    },
    Lost,
}

/// External id, version of the row that it was judged against, instant of the second look-up.
type Candidate = (String, Option<i64>, Option<i16>, Option<i64>);

/// The sample's size at either end.
const OTHERS: i64 = 3;

impl Store {
    /// Candidates that a second look-up did not find.
    pub async fn confirmed_absences(
        &self,
        lease: JobLease,
        limit: i64,
    ) -> Result<Vec<absences::Absence>, StoreError> {
        self.read(move |connection| {
            let rows: Vec<Candidate> = both!(connection, |inner| of(&lease, DriftKind::Orphan)
                .filter(job_candidates::looked_at.is_not_null())
                .select((
                    job_candidates::external_id,
                    job_candidates::row_updated_at,
                    job_candidates::row_projection,
                    job_candidates::looked_at,
                ))
                .order(job_candidates::external_id)
                .limit(limit)
                .load(inner))?;
            let absence = |(external_id, updated_at_ms, projection, looked_at)| {
                let baseline = AbsenceBaseline {
                    updated_at_ms: Option::unwrap_or_default(updated_at_ms),
                    projection: Option::unwrap_or_default(projection),
                };
                let sent_at_ms = Option::unwrap_or_default(looked_at);
                absences::Absence { external_id, baseline, sent_at_ms }
            };
            Ok(rows.into_iter().map(absence).collect())
        })
        .await
    }

    /// Empties the rows of `confirmed` users, unless all confirmed candidates exceed the mass-delete
    /// limit and `allow_mass_delete` is not set. They are no candidates any more.
    pub async fn empty_candidates(
        &self,
        lease: JobLease,
        defaults: RowDefaults,
        now: Timestamp,
        confirmed: Vec<absences::Absence>,
        mut progress: JobProgress,
        allow_mass_delete: bool,
    ) -> Result<EmptyOutcome, StoreError> {
        self.write_replanned(move |connection| {
            if !renew(connection, &lease)? {
                return Ok(EmptyOutcome::Lost);
            }
            let left: i64 = both!(connection, |inner| of(&lease, DriftKind::Orphan)
                .filter(job_candidates::looked_at.is_not_null())
                .count()
                .get_result(inner))?;
            absences::lock_absences(connection)?;
            if !allow_mass_delete
                && let Some(live) = absences::exceeds_limit(connection, defaults.source, &[], left)?
            {
                return Ok(EmptyOutcome::LimitExceeded {
                    live: u64::try_from(live).unwrap_or_default(),
                });
            }
            let emptied = absences::empty(connection, defaults, now, confirmed.clone())?;
            progress.counters.updated += u64::try_from(emptied.len()).unwrap_or_default();
            let ids: Vec<&str> =
                confirmed.iter().map(|absence| absence.external_id.as_str()).collect();
            both!(connection, |inner| diesel::delete(
                of(&lease, DriftKind::Orphan).filter(job_candidates::external_id.eq_any(&ids))
            )
            .execute(inner))?;
            save(connection, &lease, &progress)?;
            Ok(EmptyOutcome::Emptied(progress))
        })
        .await
    }

    /// External ids of some of the newest and oldest live users that are no candidates, and whose
    /// rows were created before `made_before`.
    pub async fn sample_other_live_users(
        &self,
        source: &'static str,
        lease: JobLease,
        made_before: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let is_candidate = of(&lease, DriftKind::Orphan)
                .filter(job_candidates::external_id.eq(users::external_id));
            // A row that a wrong clock dated ahead was not made during the job either.
            let horizon = horizon(connection.now()?);
            let is_older = users::created_at.lt(made_before).or(users::created_at.gt(horizon));
            let is_other = is_older.and(not(exists(is_candidate)));
            Ok(newest_and_oldest!(connection, source, is_other, OTHERS, OTHERS))
        })
        .await
    }
}
