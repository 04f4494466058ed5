//! What becomes of a write-back whose call failed, or whose value the provider does not keep.
//!
//! Called by [`push`](super::push) under the lease, which it gives back: due again later, or parked.

use super::push::PushOutcome;
use super::worker::BACKOFF;
use crate::domain::patch_log::PAUSES;
use crate::provider::ApiError;
use crate::store::StoreError;
use crate::store::user_calls::USER_WINDOW;
use crate::store::write_backs::{Reschedule, WriteBackLease};
use crate::sync::SyncService;
use std::time::{Duration, Instant};

/// After so many attempts that failed, a write-back whose value the provider does not keep rests; not
/// the first time, since the attempts before may have met unreadable answers.
const MOST_UNKEPT: i32 = 8;

impl SyncService {
    /// The provider answered 200 to what it does not hold.
    pub(super) async fn handle_not_kept(
        &self,
        lease: &WriteBackLease,
    ) -> Result<PushOutcome, StoreError> {
        let (why, attempts) = ("not_kept", lease.attempts.saturating_add(1));
        let after = pause_after(lease);
        let is_repeated = lease.last_error.as_deref() == Some(why);
        let parks_as = (is_repeated && attempts >= MOST_UNKEPT).then_some("rejected");
        let outcome_unknown = lease.outcome_unknown;
        let reschedule = Reschedule { after, why, outcome_unknown, parks_as, counts: true };
        self.store.reschedule_write_back(self.source(), lease.clone(), reschedule).await?;
        if let Some(suppressed) = self.unkept_log.pass(Instant::now()) {
            tracing::warn!(
                user.external_id = lease.external_id,
                attempts,
                suppressed,
                wait_seconds = parks_as.is_none().then_some(after.as_secs()),
                "the provider does not keep what is written about this user: it answers without the values that \
                 were sent; after {MOST_UNKEPT} attempts the write-back is parked as `rejected`"
            );
        }
        Ok(PushOutcome::Finished(why))
    }

    pub(super) async fn reschedule_after(
        &self,
        lease: &WriteBackLease,
        error: ApiError,
        outcome_unknown: bool,
    ) -> Result<PushOutcome, StoreError> {
        let why = error.code();
        let after = match &error {
            ApiError::Rejected { .. } => Duration::ZERO,
            ApiError::RateLimited { retry_after } | ApiError::Unavailable { retry_after, .. } => {
                (*retry_after).max(BACKOFF.first)
            }
            ApiError::Protocol(_) => pause_after(lease),
            // The whole worker pauses.
            ApiError::Unauthorized(_) | ApiError::NotFound => BACKOFF.first,
        };
        let parks_as = matches!(error, ApiError::Rejected { .. }).then_some(why);
        let counts = matches!(error, ApiError::Protocol(_));
        let reschedule = Reschedule { after, why, outcome_unknown, parks_as, counts };
        self.store.reschedule_write_back(self.source(), lease.clone(), reschedule).await?;
        match error {
            ApiError::Rejected { .. } | ApiError::Protocol(_) => {
                tracing::warn!(
                    user.external_id = lease.external_id,
                    "a write-back failed: {error}"
                );
                Ok(PushOutcome::Finished(why))
            }
            // Only this user's calls are too many, which is no reason for others to wait.
            ApiError::RateLimited { retry_after } if retry_after <= USER_WINDOW => {
                Ok(PushOutcome::Finished(why))
            }
            error => Ok(PushOutcome::NotNow(error)),
        }
    }

    pub(super) async fn reschedule(
        &self,
        lease: &WriteBackLease,
        after: Duration,
        why: &'static str,
        parks_as: Option<&'static str>,
    ) -> Result<(), StoreError> {
        let outcome_unknown = lease.outcome_unknown;
        let reschedule = Reschedule { after, why, outcome_unknown, parks_as, counts: false };
        self.store.reschedule_write_back(self.source(), lease.clone(), reschedule).await
    }
}

/// The pause after a failure that a repeat will hardly mend.
fn pause_after(lease: &WriteBackLease) -> Duration {
    PAUSES.bound(u32::try_from(lease.attempts).unwrap_or(0))
}
