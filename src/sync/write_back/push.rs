//! Pushes one user under a lease.
//!
//! Called by the worker and the sign-in sync. It compares first, fetches where the row is older
//! than a minute or the outcome of the last call is unknown, sends the patch, and applies the
//! response, which is the user as of then: so no older event can undo it, and the echo finds
//! nothing to do (traps 26, 27 and 31).

use super::worker::BACKOFF;
use crate::domain::MetadataPatch;
use crate::provider::{ApiError, Priority};
use crate::store::write_backs::{Acknowledgement, WriteBackLease, WriteBackStatus};
use crate::store::{StoreError, StoredUser};
use crate::sync::absence::AbsenceOutcome;
use crate::sync::{SyncError, SyncService};
use std::time::Duration;

/// Limit of one push; shorter than its lease.
const WITHIN: Duration = Duration::from_secs(15);

/// How old a snapshot may be to be compared with.
const FRESH_FOR: Duration = Duration::from_secs(60);

/// A fetch and a patch, and both again where an operator changed an override meanwhile.
const MOST_STEPS: u32 = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PushOutcome {
    /// The user needs no more, or not now; the word is a metric label.
    Finished(&'static str),
    /// The provider answers no call: the worker pauses.
    NotNow(ApiError),
}

impl SyncService {
    pub(super) async fn push(&self, lease: WriteBackLease, priority: Priority) -> PushOutcome {
        let external_id = lease.external_id.clone();
        let pushed = match tokio::time::timeout(WITHIN, self.push_steps(&lease, priority)).await {
            Ok(Ok(pushed)) => pushed,
            // The lease expires, and the next push fetches first.
            Ok(Err(error)) => {
                tracing::warn!(user.external_id = external_id, "a write-back waits: {error}");
                PushOutcome::Finished("database")
            }
            Err(_) => PushOutcome::Finished("slow"),
        };
        let outcome = match &pushed {
            PushOutcome::Finished(word) => word,
            PushOutcome::NotNow(error) => error.code(),
        };
        self.metrics.count_write_back(outcome);
        tracing::debug!(user.external_id = external_id, outcome, "write-back");
        pushed
    }

    async fn push_steps(
        &self,
        lease: &WriteBackLease,
        priority: Priority,
    ) -> Result<PushOutcome, SyncError> {
        let mut lease = lease.clone();
        let mut next = if lease.outcome_unknown { PushStep::Fetch } else { PushStep::Compare };
        for _ in 0..MOST_STEPS {
            let stored = self.store.stored_user(self.source(), lease.external_id.clone()).await?;
            let Some(stored) = stored.filter(StoredUser::is_live) else {
                return Ok(PushOutcome::of(&self.complete(&lease, None).await?));
            };
            if next == PushStep::Compare && !self.is_fresh(&stored, &lease) {
                next = PushStep::Fetch;
            }
            let fetches = next == PushStep::Fetch;
            let patch = self.policy.plan(&stored, lease.take_over).patch;
            let status = if !fetches && patch.is_empty() {
                next = PushStep::Fetch;
                self.complete(&lease, None).await?
            } else {
                next = PushStep::Send;
                let sent = if fetches { MetadataPatch::default() } else { patch };
                match self.call(&lease, sent, priority).await? {
                    CallResult::Answered(status) => status,
                    CallResult::StillThere => continue,
                    CallResult::Ended(outcome) => return Ok(outcome),
                }
            };
            match status {
                WriteBackStatus::More(renewed) => lease = renewed,
                WriteBackStatus::NotKept(lease) => return Ok(self.handle_not_kept(&lease).await?),
                status => return Ok(PushOutcome::of(&status)),
            }
        }
        self.reschedule(&lease, BACKOFF.first, "again", None).await?;
        Ok(PushOutcome::Finished("again"))
    }

    /// Fetches where there is nothing to send, else patches; applies the response.
    async fn call(
        &self,
        lease: &WriteBackLease,
        sent: MetadataPatch,
        priority: Priority,
    ) -> Result<CallResult, SyncError> {
        let fetches = sent.is_empty();
        let answer = if fetches {
            self.directory.user(&lease.external_id, priority).await
        } else {
            self.directory.fill(&lease.external_id, &sent, priority).await
        };
        match answer {
            Ok(snapshot) => {
                let acknowledgement = Acknowledgement { snapshot, sent };
                Ok(CallResult::Answered(self.complete(lease, Some(acknowledgement)).await?))
            }
            Err(ApiError::NotFound) => self.handle_not_found(lease, priority).await,
            Err(error) => {
                let outcome_unknown =
                    if fetches { lease.outcome_unknown } else { error.outcome_unknown() };
                Ok(CallResult::Ended(self.reschedule_after(lease, error, outcome_unknown).await?))
            }
        }
    }

    async fn complete(
        &self,
        lease: &WriteBackLease,
        acknowledgement: Option<Acknowledgement>,
    ) -> Result<WriteBackStatus, StoreError> {
        let (policy, lease) = (self.policy.clone(), lease.clone());
        let status = self.store.complete_write_back(
            policy,
            self.store.now(),
            lease.clone(),
            acknowledgement,
        );
        let status = status.await?;
        if let WriteBackStatus::Conflict(conflict) = status {
            tracing::warn!(
                user.external_id = lease.external_id,
                conflict = conflict.as_str(),
                "the provider holds another value for this user, which is left alone; `GET /v1/write-backs?state={}` \
                 lists all of them, `take_over` of `POST /v1/reconcile` replaces it",
                conflict.as_str()
            );
        }
        Ok(status)
    }

    async fn handle_not_found(
        &self,
        lease: &WriteBackLease,
        priority: Priority,
    ) -> Result<CallResult, SyncError> {
        let outcomes = match self.confirm_absences(vec![lease.external_id.clone()], priority).await
        {
            Ok(outcomes) => outcomes,
            Err(SyncError::Api(error)) => {
                return Ok(CallResult::Ended(
                    self.reschedule_after(lease, error, lease.outcome_unknown).await?,
                ));
            }
            Err(error) => return Err(error),
        };
        match outcomes.get(&lease.external_id) {
            Some(AbsenceOutcome::StillThere | AbsenceOutcome::Newer) => Ok(CallResult::StillThere),
            Some(AbsenceOutcome::HeldBack(_)) => {
                self.reschedule(lease, Duration::ZERO, "held_back", Some("held_back")).await?;
                Ok(CallResult::Ended(PushOutcome::Finished("held_back")))
            }
            Some(AbsenceOutcome::Emptied | AbsenceOutcome::NoRow) | None => {
                Ok(CallResult::Answered(self.complete(lease, None).await?))
            }
        }
    }

    /// The row is of this minute, and there is no override that the provider may show already.
    fn is_fresh(&self, stored: &StoredUser, lease: &WriteBackLease) -> bool {
        lease.override_at.is_none()
            && stored.seen_at().is_some_and(|at| at.is_recent(self.store.now(), FRESH_FOR))
    }

    pub(super) fn is_recently_seen(&self, stored: &StoredUser) -> bool {
        let instants = [stored.seen_at(), stored.last_fetched_at];
        let now = self.store.now();
        instants.into_iter().flatten().any(|at| at.is_recent(now, FRESH_FOR))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PushStep {
    Fetch,
    Compare,
    /// The row is as of now.
    Send,
}

enum CallResult {
    Answered(WriteBackStatus),
    StillThere,
    Ended(PushOutcome),
}

impl PushOutcome {
    const fn of(status: &WriteBackStatus) -> Self {
        Self::Finished(match status {
            WriteBackStatus::Done => "done",
            WriteBackStatus::Conflict(_) => "conflict",
            WriteBackStatus::More(_) => "again",
            WriteBackStatus::NotKept(_) => "not_kept",
            WriteBackStatus::Lost => "lost",
        })
    }
}
