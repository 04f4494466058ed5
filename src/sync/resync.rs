//! Resync: an operator has up to a hundred users fetched again.
//!
//! Called by `POST /v1/reconcile`. All are fetched, the snapshots are applied in one transaction,
//! and users who were not found are confirmed together, so that the mass-delete limit sees them
//! all.

use super::absence::AbsenceOutcome;
use super::{SyncError, SyncService};
use crate::domain::{Change, Snapshot};
use crate::provider::{ApiError, Priority};
use crate::store::batch::UpsertOutcome;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::task::JoinSet;

const AT_ONCE: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResyncResult {
    /// Our id, where there is a row.
    pub user_id: Option<String>,
    pub external_id: String,
    pub outcome: ResyncOutcome,
    /// Why, where the outcome alone does not say it.
    pub reason: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResyncOutcome {
    Created,
    Updated,
    Unchanged,
    /// The row holds something newer than the fetched snapshot.
    Stale,
    /// The provider signed the deletion of the user.
    Tombstoned,
    /// The provider does not know the user any more: the row is emptied.
    Absent,
    /// Likewise, but the row is not emptied; the reason says why.
    HeldBack,
    /// Neither the provider nor the table knows the user.
    Unknown,
    /// The user could not be fetched; the reason says why.
    Failed,
}

type FetchResult = Result<Snapshot, ApiError>;

impl SyncService {
    /// `ids` are ours or the provider's. With `take_over`, our values replace conflicting ones.
    pub async fn resync(
        self: &Arc<Self>,
        ids: Vec<String>,
        take_over: bool,
    ) -> Result<Vec<ResyncResult>, SyncError> {
        let mut external_ids = Vec::with_capacity(ids.len());
        for id in ids {
            let found = self.store.find_user(id.clone()).await?;
            let external_id = found.map_or(id, |user| user.external_id().to_owned());
            if !external_ids.contains(&external_id) {
                external_ids.push(external_id);
            }
        }
        let fetched = self.fetch_all(&external_ids).await;
        let mut results = self.apply_fetched(&fetched).await?;
        self.add_failures(&fetched, &mut results).await?;
        if take_over && self.policy.defaults.write_back {
            for one in results.values().filter(|one| one.outcome.has_live_row()) {
                self.store
                    .take_over(self.source(), one.external_id.clone(), self.store.now())
                    .await?;
            }
        }
        self.wake_write_back();
        Ok(external_ids.iter().filter_map(|id| results.remove(id)).collect())
    }

    async fn fetch_all(self: &Arc<Self>, external_ids: &[String]) -> BTreeMap<String, FetchResult> {
        let mut fetched = BTreeMap::new();
        let mut under_way = JoinSet::new();
        for external_id in external_ids {
            if under_way.len() == AT_ONCE {
                fetched.extend(under_way.join_next().await.and_then(Result::ok));
            }
            let (sync, external_id) = (Arc::clone(self), external_id.clone());
            under_way.spawn(async move {
                let user = sync.directory.user(&external_id, Priority::Interactive).await;
                (external_id, user)
            });
        }
        while let Some(one) = under_way.join_next().await {
            fetched.extend(one.ok());
        }
        fetched
    }

    async fn apply_fetched(
        &self,
        fetched: &BTreeMap<String, FetchResult>,
    ) -> Result<HashMap<String, ResyncResult>, SyncError> {
        let users = fetched.values().filter_map(|user| user.as_ref().ok()).cloned();
        let users = users.map(|user| Change::Snapshot(Box::new(user))).collect();
        let (policy, now) = (self.policy.clone(), self.store.now());
        let upserts = self.store.resync_users(policy, now, users).await?;
        let results = upserts.into_iter().map(|(external_id, upsert)| {
            let outcome = ResyncOutcome::of(upsert.outcome);
            let reason = (upsert.outcome == UpsertOutcome::Absent).then_some("absent");
            let user_id = Some(upsert.user_id);
            (external_id.clone(), ResyncResult { user_id, external_id, outcome, reason })
        });
        Ok(results.collect())
    }

    async fn add_failures(
        &self,
        fetched: &BTreeMap<String, FetchResult>,
        results: &mut HashMap<String, ResyncResult>,
    ) -> Result<(), SyncError> {
        let missing: Vec<String> = fetched
            .iter()
            .filter(|(_, user)| matches!(user, Err(ApiError::NotFound)))
            .map(|(external_id, _)| external_id.clone())
            .collect();
        let absences = match self.confirm_absences(missing, Priority::Interactive).await {
            Ok(absences) => absences,
            Err(SyncError::Api(error)) => {
                tracing::warn!(code = error.code(), "absent users could not be looked for again");
                HashMap::new()
            }
            Err(error) => return Err(error),
        };
        for (external_id, user) in fetched {
            let Err(error) = user else { continue };
            let (outcome, reason) = match (error, absences.get(external_id)) {
                (ApiError::NotFound, Some(absent)) => ResyncOutcome::of_absent(*absent),
                (ApiError::NotFound, None) => (ResyncOutcome::Failed, Some("unavailable")),
                (error, _) => (ResyncOutcome::Failed, Some(error.code())),
            };
            let row = self.store.stored_user(self.source(), external_id.clone()).await?;
            let deletion_kind = row.as_ref().and_then(|row| row.deletion_kind.as_deref());
            let (outcome, reason) = match deletion_kind {
                // Neither call could have changed the row.
                Some("signed") => (ResyncOutcome::Tombstoned, None),
                Some(_) if outcome == ResyncOutcome::Unknown => (ResyncOutcome::Absent, None),
                _ => (outcome, reason),
            };
            let user_id = row.map(|row| row.id);
            let one = ResyncResult { user_id, external_id: external_id.clone(), outcome, reason };
            results.insert(external_id.clone(), one);
        }
        Ok(())
    }
}

impl ResyncOutcome {
    const fn has_live_row(self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Unchanged | Self::Stale)
    }

    const fn of(outcome: UpsertOutcome) -> Self {
        match outcome {
            UpsertOutcome::Created => Self::Created,
            UpsertOutcome::Updated => Self::Updated,
            UpsertOutcome::Unchanged => Self::Unchanged,
            UpsertOutcome::Superseded | UpsertOutcome::Absent => Self::Stale,
            UpsertOutcome::Tombstoned => Self::Tombstoned,
        }
    }

    const fn of_absent(absent: AbsenceOutcome) -> (Self, Option<&'static str>) {
        match absent {
            AbsenceOutcome::NoRow => (Self::Unknown, None),
            AbsenceOutcome::StillThere => (Self::Unchanged, None),
            AbsenceOutcome::Newer => (Self::Stale, None),
            AbsenceOutcome::Emptied => (Self::Absent, None),
            AbsenceOutcome::HeldBack(reason) => (Self::HeldBack, Some(reason)),
        }
    }
}
