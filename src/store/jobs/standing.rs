//! Differences that still stand when their rows are read once more.

use super::JobLease;
use super::candidates::of;
use crate::domain::DriftKind;
use crate::store::connection::both;
use crate::store::schema::{job_candidates, users};
use crate::store::types::Moment;
use crate::store::{Store, StoreError};
use diesel::prelude::*;

impl Store {
    /// Of up to `limit` candidates behind the user `after` those of whom the difference still stands:
    /// their rows were not written since, or are still not there. Also the last one of those who were
    /// looked at, unless these were all.
    pub async fn recheck_candidates(
        &self,
        source: &'static str,
        lease: JobLease,
        drift_kind: DriftKind,
        after: Option<String>,
        limit: i64,
    ) -> Result<(Vec<String>, Option<String>), StoreError> {
        self.read(move |connection| {
            type Read = (String, Option<Moment>, Option<i64>, Option<Moment>, Option<String>);
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
            let stands = |(_, noted, looked_at, synced, status): &Read| {
                let is_live = status.as_ref().is_some_and(|status| status != "deleted");
                match drift_kind {
                    DriftKind::Missing => !is_live,
                    DriftKind::Orphan => is_live && looked_at.is_some(),
                    _ => is_live && noted == synced,
                }
            };
            let standing = read.into_iter().filter(stands).map(|one| one.0).collect();
            Ok((standing, last))
        })
        .await
    }
}
