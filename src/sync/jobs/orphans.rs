//! Orphans: live rows whose user no page held.
//!
//! That proves nothing: a user may have come since, and a provider in trouble lists none (trap 36).
//! So each is looked up again, all who are absent are counted before any row is emptied, and then
//! the conditions of every path hold: the key must know another user of the table, and the
//! mass-delete limit must allow it, unless an operator lifts both.

use super::run::JobRun;
use super::{Cursor, RETRY};
use crate::domain::DriftKind;
use crate::provider::{ApiError, ListQuery, Page, Priority};
use crate::store::StoreError;
use crate::store::absences::Absence;
use crate::store::jobs::EmptyOutcome;
use crate::sync::SyncError;
use crate::sync::absence::AbsenceOutcome;
use crate::sync::retry::retry;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

/// Candidates that one call lists by their ids.
const LOOK_UP_AT_ONCE: i64 = 100;

/// Concurrent look-ups of single users.
const AT_ONCE: usize = 8;

/// Rows that one transaction empties.
const EMPTY_AT_ONCE: i64 = 500;

type UserRecheck = (String, Result<Result<Absence, AbsenceOutcome>, SyncError>);

#[derive(Default)]
struct RecheckResult {
    /// These are no candidates any more.
    dropped: Vec<String>,
    gone: Vec<Absence>,
    failed: u64,
}

impl JobRun {
    /// Looks up all candidates behind `after`.
    pub(super) async fn recheck_candidates(
        &mut self,
        mut after: Option<String>,
    ) -> Result<(), SyncError> {
        loop {
            let store = &self.sync.store;
            let (lease, orphan) = (&self.lease, DriftKind::Orphan);
            let some = self
                .retry(|| store.candidates(lease.clone(), orphan, after.clone(), LOOK_UP_AT_ONCE))
                .await?;
            let Some(last) = some.last().cloned() else {
                return Ok(());
            };
            let looked_up = self.look_up(some).await?;
            after = Some(last);
            let gone = u64::try_from(looked_up.gone.len()).unwrap_or_default();
            self.progress.counters.failed += looked_up.failed;
            self.progress.counters.extra += gone;
            if self.dry_run {
                self.progress.counters.updated += gone;
            }
            let progress = self.progress_at(&Cursor::Look { after: after.clone() });
            let is_stored = self.retry(|| {
                let (dropped, gone) = (looked_up.dropped.clone(), looked_up.gone.clone());
                store.confirm_candidates(lease.clone(), dropped, gone, progress.clone())
            });
            is_stored.await?.then_some(()).ok_or(SyncError::LeaseLost)?;
            self.progress = progress;
        }
    }

    /// Looks users up: first together, which finds those who came during the scan, then the others
    /// one by one, since only that answer is about a user.
    async fn look_up(&self, external_ids: Vec<String>) -> Result<RecheckResult, SyncError> {
        let there = self.look_up_together(&external_ids).await?;
        let mut looked_up = RecheckResult::default();
        let mut under_way = JoinSet::new();
        for external_id in external_ids {
            if there.contains(&external_id) {
                looked_up.dropped.push(external_id);
                continue;
            }
            if under_way.len() == AT_ONCE {
                looked_up.add(under_way.join_next().await)?;
            }
            let (sync, dry_run) = (Arc::clone(&self.sync), self.dry_run);
            under_way.spawn(async move {
                let look = || sync.recheck_user(&external_id, dry_run, Priority::Background);
                let result = retry(&RETRY, look).await;
                (external_id, result)
            });
        }
        while let Some(one) = under_way.join_next().await {
            looked_up.add(Some(one))?;
        }
        Ok(looked_up)
    }

    /// Those of the users who are listed. They are applied, since they are newer than any page.
    async fn look_up_together(
        &self,
        external_ids: &[String],
    ) -> Result<HashSet<String>, SyncError> {
        let limit = u16::try_from(ListQuery::MOST_IDS).unwrap_or(1);
        let query = ListQuery { ids: external_ids.to_vec(), limit, ..ListQuery::default() };
        let directory = &self.sync.directory;
        let Page { mut users, .. } = match self
            .retry(|| directory.users(&query, Priority::Background))
            .await
        {
            // They can still be fetched one by one.
            Err(SyncError::Api(ApiError::NotFound | ApiError::Rejected { .. })) => Page::default(),
            result => result?,
        };
        users.retain(|user| external_ids.contains(&user.external_id));
        let there = users.iter().map(|user| user.external_id.clone()).collect();
        if !self.dry_run && !users.is_empty() {
            self.retry(|| self.sync.apply(users.clone())).await?;
        }
        Ok(there)
    }

    /// Empties the rows of confirmed absences, where that is safe.
    pub(super) async fn empty_orphans(&mut self) -> Result<(), SyncError> {
        if self.dry_run {
            return Ok(());
        }
        let store = self.sync.store.clone();
        let mut checked = self.allow_mass_delete;
        loop {
            let gone =
                self.retry(|| store.confirmed_absences(self.lease.clone(), EMPTY_AT_ONCE)).await?;
            if gone.is_empty() {
                break;
            }
            if !std::mem::replace(&mut checked, true) && !self.knows_another().await? {
                return Err(SyncError::Blocked(self.unknown_key_message()));
            }
            let progress = self.progress_at(&Cursor::Conclude);
            let (defaults, lifted) = (self.sync.policy.defaults, self.allow_mass_delete);
            let acted = self.retry(|| {
                let (lease, gone, progress) = (self.lease.clone(), gone.clone(), progress.clone());
                store.empty_candidates(lease, defaults, store.now(), gone, progress, lifted)
            });
            match acted.await? {
                EmptyOutcome::Emptied(progress) => self.progress = progress,
                EmptyOutcome::LimitExceeded { live } => {
                    return Err(SyncError::Blocked(self.over_limit_message(live)));
                }
                EmptyOutcome::Lost => return Err(SyncError::LeaseLost),
            }
        }
        if self.progress.counters.extra > 0 {
            self.retry(|| store.truncate_wal()).await?;
        }
        Ok(())
    }

    /// Whether the key knows a live user who is no candidate, and whose row this job did not make:
    /// one of its own list proves nothing about the table.
    async fn knows_another(&self) -> Result<bool, SyncError> {
        let store = &self.sync.store;
        let source = self.sync.source();
        let others = self
            .retry(|| store.sample_other_live_users(source, self.lease.clone(), self.started_at))
            .await?;
        self.sync.knows_one_of(others, Priority::Background).await
    }

    fn unknown_key_message(&self) -> String {
        let extra = self.progress.counters.extra;
        format!(
            "{extra} live rows have no user at the provider, but it knows nobody else of ours either, so none is \
             emptied; is CLERK_SECRET_KEY of the right instance? If all of them are gone indeed, run a reconcile \
             with `allow_mass_delete`"
        )
    }

    fn over_limit_message(&self, live: u64) -> String {
        let extra = self.progress.counters.extra;
        format!(
            "{extra} of {live} live rows have no user at the provider, more than may be emptied in a day, so none \
             is; look into the provider's dashboard, and if they are gone indeed, run a reconcile with \
             `allow_mass_delete`"
        )
    }
}

impl RecheckResult {
    /// A user who cannot be read keeps the row.
    fn add(&mut self, one: Option<Result<UserRecheck, JoinError>>) -> Result<(), SyncError> {
        let Some(Ok((external_id, result))) = one else {
            return Err(StoreError::Refused("a look-up was broken off".into()).into());
        };
        match result {
            Ok(Ok(absence)) => self.gone.push(absence),
            Ok(Err(_)) => self.dropped.push(external_id),
            Err(SyncError::Api(ApiError::Protocol(_) | ApiError::Rejected { .. })) => {
                self.failed += 1;
                self.dropped.push(external_id);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
