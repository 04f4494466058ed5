//! Users whom the provider does not know any more.
//!
//! Called by the resync, the write-back and jobs. A 404 is no deletion: a wrong key, or a provider
//! in trouble, answers it for every user (trap 36). So a user counts as absent only after a second
//! look-up; the key must be of the verified instance; the same key must know another live user of
//! the table; and the mass-delete limit holds back what is too much for one day. Users held back
//! are recorded for the next reconcile.

use super::{SyncError, SyncService};
use crate::domain::{AbsenceBaseline, believed_ms};
use crate::provider::{ApiError, Priority};
use crate::store::StoredUser;
use crate::store::absences::{Absence, AbsenceVerdict};
use std::collections::HashMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AbsenceOutcome {
    NoRow,
    StillThere,
    Emptied,
    /// The row stays: something newer arrived meanwhile.
    Newer,
    /// The row stays, for this reason.
    HeldBack(&'static str),
}

impl SyncService {
    /// Empties the rows of users who were not found, where that is safe. All are passed together,
    /// so that the limit sees them all.
    pub(super) async fn confirm_absences(
        &self,
        external_ids: Vec<String>,
        priority: Priority,
    ) -> Result<HashMap<String, AbsenceOutcome>, SyncError> {
        let (mut outcomes, mut absences) = (HashMap::new(), Vec::new());
        for external_id in external_ids {
            match self.recheck_user(&external_id, false, priority).await? {
                Ok(absence) => absences.push(absence),
                Err(outcome) => {
                    outcomes.insert(external_id, outcome);
                }
            }
        }
        if !absences.is_empty() {
            let ids = absences.iter().map(|absence| absence.external_id.clone()).collect();
            outcomes.extend(self.empty(ids, absences, priority).await?);
        }
        Ok(outcomes)
    }

    /// The second look-up: an absence, or why there is none. A dry run writes no user whom it finds.
    pub(super) async fn recheck_user(
        &self,
        external_id: &str,
        dry_run: bool,
        priority: Priority,
    ) -> Result<Result<Absence, AbsenceOutcome>, SyncError> {
        let stored = self.store.stored_user(self.source(), external_id.to_owned()).await?;
        let Some(stored) = stored.filter(StoredUser::is_live) else {
            return Ok(Err(AbsenceOutcome::NoRow));
        };
        // The row was read before the call is sent, so the answer is later, whatever clocks say.
        let now = self.store.now();
        let sent_at_ms = now.as_millis().max(believed_ms(stored.version_seen_at, now) + 1);
        let fetched = if dry_run {
            self.directory.user(external_id, priority).await.map(drop).map_err(Into::into)
        } else {
            self.refresh(external_id, priority).await.map(drop)
        };
        match fetched {
            Ok(()) => Ok(Err(AbsenceOutcome::StillThere)),
            Err(SyncError::Api(ApiError::NotFound)) => {
                let baseline = AbsenceBaseline {
                    updated_at_ms: stored.version_updated_at,
                    projection: stored.version_projection,
                };
                Ok(Ok(Absence { external_id: external_id.to_owned(), baseline, sent_at_ms }))
            }
            Err(error) => Err(error),
        }
    }

    async fn empty(
        &self,
        ids: Vec<String>,
        absences: Vec<Absence>,
        priority: Priority,
    ) -> Result<HashMap<String, AbsenceOutcome>, SyncError> {
        let (users, defaults) = (ids.len(), self.policy.defaults);
        let reason = match self.instance.verify(priority).await {
            Err(SyncError::WrongInstance { .. }) => Some("wrong_instance"),
            Err(error) => return Err(error),
            Ok(()) if self.knows_another(&ids, priority).await? => None,
            Ok(()) => Some("nobody_known"),
        };
        if let Some(reason) = reason {
            self.store.record_held_back(defaults.source, absences).await?;
            tracing::error!(
                users,
                reason,
                "users are absent at the provider, but nobody is emptied: the API key knows none of the other users either, or is of another instance"
            );
            return Ok(ids.into_iter().map(|id| (id, AbsenceOutcome::HeldBack(reason))).collect());
        }
        let emptied = match self.store.empty_absent(defaults, self.store.now(), absences).await? {
            AbsenceVerdict::Emptied(emptied) => emptied,
            AbsenceVerdict::HeldBack => {
                tracing::error!(
                    users,
                    "more users are absent at the provider than may be emptied in a day; none of these is"
                );
                let held_back = AbsenceOutcome::HeldBack("brake");
                return Ok(ids.into_iter().map(|id| (id, held_back)).collect());
            }
        };
        let users = emptied.len();
        tracing::info!(users, "users who are absent at the provider were emptied");
        self.store.truncate_wal().await?;
        let outcome = |id: String| {
            let is_emptied = emptied.contains(&id);
            (id, if is_emptied { AbsenceOutcome::Emptied } else { AbsenceOutcome::Newer })
        };
        Ok(ids.into_iter().map(outcome).collect())
    }

    async fn knows_another(&self, ids: &[String], priority: Priority) -> Result<bool, SyncError> {
        let others = self.store.sample_live_users(self.source(), ids.to_vec()).await?;
        self.knows_one_of(others, priority).await
    }

    /// Whether the key knows one of these users.
    pub(super) async fn knows_one_of(
        &self,
        external_ids: Vec<String>,
        priority: Priority,
    ) -> Result<bool, SyncError> {
        for external_id in external_ids {
            match self.refresh(&external_id, priority).await {
                Ok(_) => return Ok(true),
                Err(SyncError::Api(ApiError::NotFound)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}
