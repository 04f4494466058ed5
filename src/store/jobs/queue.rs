//! Enqueues, finds, lists and cancels jobs. Called by `http`, `cli` and `sync`.

use super::{JobRecord, json};
use crate::domain::{Counters, JobKind, Timestamp, horizon};
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::jobs;
use crate::store::types::JsonText;
use crate::store::{Store, StoreError};
use diesel::prelude::*;
use uuid::{NoContext, Uuid};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobRequest {
    pub kind: JobKind,
    /// Whether it changes nothing.
    pub dry_run: bool,
    pub allow_mass_delete: bool,
}

impl Store {
    /// Creates a job unless one of its kind is active. Returns the active one, and if it is new.
    pub async fn enqueue_job(
        &self,
        source: &'static str,
        asked: JobRequest,
    ) -> Result<(JobRecord, bool), StoreError> {
        self.write(move |connection| enqueue(connection, source, asked)).await
    }

    /// Cancels a job, unless it has ended.
    pub async fn cancel_job(&self, id: String) -> Result<Option<JobRecord>, StoreError> {
        self.write(move |connection| {
            let found = find(connection, &id)?;
            if found.as_ref().is_some_and(JobRecord::is_active) {
                finish(connection, &id, "cancelled", None)?;
                return find(connection, &id);
            }
            Ok(found)
        })
        .await
    }

    pub async fn find_job(&self, id: String) -> Result<Option<JobRecord>, StoreError> {
        self.read(move |connection| find(connection, &id)).await
    }

    /// The last job of this kind that succeeded: of drift, which always is a dry run, any; of other
    /// kinds none that was a dry run. One from a time that has not come yet, since the clock was
    /// wrong once, would stay the last for as long; it does not count.
    pub async fn last_success(
        &self,
        source: &'static str,
        kind: JobKind,
    ) -> Result<Option<JobRecord>, StoreError> {
        self.read(move |connection| {
            let horizon = horizon(connection.now()?);
            Ok(both!(connection, |inner| jobs::table
                .filter(jobs::source.eq(source).and(jobs::kind.eq(kind.as_str())))
                .filter(jobs::state.eq("succeeded"))
                .filter(jobs::dry_run.eq(kind == JobKind::Drift))
                .filter(jobs::created_at.le(horizon))
                .order((jobs::created_at.desc(), jobs::id.desc()))
                .select(JobRecord::as_select())
                .first(inner)
                .optional())?)
        })
        .await
    }

    /// The last job that read all users, which a blocked reconcile has too. As for
    /// [`Store::last_success`], its time must have come.
    pub async fn last_full_scan(
        &self,
        source: &'static str,
    ) -> Result<Option<JobRecord>, StoreError> {
        self.read(move |connection| {
            let horizon = horizon(connection.now()?);
            let kinds = [JobKind::Backfill, JobKind::Reconcile].map(JobKind::as_str);
            Ok(both!(connection, |inner| jobs::table
                .filter(jobs::source.eq(source).and(jobs::kind.eq_any(kinds)))
                .filter(jobs::state.eq_any(["succeeded", "blocked"]))
                .filter(jobs::dry_run.eq(false))
                .filter(jobs::finished_at.le(horizon))
                .filter(jobs::started_at.le(horizon))
                .order(jobs::started_at.desc())
                .select(JobRecord::as_select())
                .first(inner)
                .optional())?)
        })
        .await
    }

    /// Whether a job that reads all users, and writes what it finds, waits or runs.
    pub async fn is_full_scan_active(&self, source: &'static str) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let kinds = [JobKind::Backfill, JobKind::Reconcile].map(JobKind::as_str);
            let active = jobs::table
                .filter(jobs::source.eq(source).and(jobs::kind.eq_any(kinds)))
                .filter(jobs::state.eq_any(["queued", "running"]).and(jobs::dry_run.eq(false)));
            Ok(both!(connection, |inner| diesel::select(diesel::dsl::exists(active))
                .get_result(inner))?)
        })
        .await
    }

    /// Newest first, before the job `before`.
    pub async fn list_jobs(
        &self,
        source: &'static str,
        before: Option<String>,
        limit: i64,
    ) -> Result<Vec<JobRecord>, StoreError> {
        self.read(move |connection| {
            Ok(both!(connection, |inner| {
                let mut query = jobs::table.select(JobRecord::as_select()).into_boxed();
                query = query.filter(jobs::source.eq(source));
                if let Some(before) = &before {
                    query = query.filter(jobs::id.lt(before));
                }
                query.order(jobs::id.desc()).limit(limit).load(inner)
            })?)
        })
        .await
    }
}

fn enqueue(
    connection: &mut AnyConnection,
    source: &str,
    asked: JobRequest,
) -> Result<(JobRecord, bool), StoreError> {
    let counters = json(&Counters::default())?;
    let now = connection.now()?;
    // Jobs are listed in the order of their ids, hence by the clock that all replicas share.
    let id = id_at(now);
    let made = both!(connection, |inner| diesel::insert_into(jobs::table)
        .values((
            jobs::id.eq(&id),
            jobs::source.eq(source),
            jobs::kind.eq(asked.kind.as_str()),
            jobs::dry_run.eq(asked.dry_run),
            jobs::allow_mass_delete.eq(asked.allow_mass_delete),
            jobs::counters.eq(JsonText(&counters)),
            jobs::created_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(inner))?;
    let active: Option<JobRecord> = both!(connection, |inner| jobs::table
        .filter(jobs::source.eq(source).and(jobs::kind.eq(asked.kind.as_str())))
        .filter(jobs::state.eq_any(["queued", "running"]))
        .select(JobRecord::as_select())
        .first(inner)
        .optional())?;
    // It ended between the two statements: the client may try again.
    let ended = || StoreError::Away("a job of this kind ended just now".into());
    Ok((active.ok_or_else(ended)?, made == 1))
}

fn id_at(now: Timestamp) -> String {
    let seconds = u64::try_from(now.as_seconds()).unwrap_or_default();
    let nanoseconds =
        u32::try_from(now.as_micros().rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds)).to_string()
}

pub(super) fn find(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<JobRecord>, StoreError> {
    Ok(both!(connection, |inner| jobs::table
        .find(id)
        .select(JobRecord::as_select())
        .first(inner)
        .optional())?)
}

pub(super) fn finish(
    connection: &mut AnyConnection,
    id: &str,
    state: &str,
    error: Option<&str>,
) -> Result<(), StoreError> {
    let now = connection.now()?;
    both!(connection, |inner| diesel::update(
        jobs::table.find(id).filter(jobs::state.eq_any(["queued", "running"]))
    )
    .set((
        jobs::state.eq(state),
        jobs::error.eq(error),
        jobs::leased_until.eq(None::<Timestamp>),
        jobs::finished_at.eq(now),
    ))
    .execute(inner))?;
    Ok(())
}
