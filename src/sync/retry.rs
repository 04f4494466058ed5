//! Repeats calls that may succeed later, and renews leases.
//!
//! Used by jobs, whose provider or database may be away for minutes, and by the import.

use super::SyncError;
use crate::domain::Backoff;
use crate::provider::ApiError;
use crate::store::StoreError;
use crate::store::jobs::LEASE;
use std::time::{Duration, Instant};

const LONGEST_REQUESTED: Duration = Duration::from_secs(5 * 60);

/// Attempts where a response cannot be understood, as from a proxy in trouble.
const UNCLEAR_ATTEMPTS: u32 = 5;

pub(super) struct RetryPolicy {
    /// Named in the log.
    pub(super) caller: &'static str,
    pub(super) backoff: Backoff,
    pub(super) give_up_after: Duration,
}

/// Repeats `call` until it succeeds, an error is final, or the policy gives up.
pub(super) async fn retry<T, E, F>(
    policy: &RetryPolicy,
    call: impl Fn() -> F,
) -> Result<T, SyncError>
where
    E: Into<SyncError>,
    F: Future<Output = Result<T, E>>,
{
    let started = Instant::now();
    let mut failed = 0;
    loop {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error.into(),
        };
        failed += 1;
        let gives_up = started.elapsed() >= policy.give_up_after;
        let Some(requested) = requested_pause(&error, failed).filter(|_| !gives_up) else {
            return Err(error);
        };
        let pause = policy.backoff.bound(failed - 1).max(requested.min(LONGEST_REQUESTED));
        tracing::warn!(seconds = pause.as_secs_f64(), "{} waits: {error}", policy.caller);
        tokio::time::sleep(pause).await;
    }
}

/// The pause that the provider asks for, or zero; `None` where the error is final.
fn requested_pause(error: &SyncError, failed: u32) -> Option<Duration> {
    match error {
        SyncError::Api(
            ApiError::RateLimited { retry_after } | ApiError::Unavailable { retry_after, .. },
        ) => Some(*retry_after),
        SyncError::Api(ApiError::Protocol(_)) => {
            (failed < UNCLEAR_ATTEMPTS).then_some(Duration::ZERO)
        }
        SyncError::Store(StoreError::Away(_)) => Some(Duration::ZERO),
        SyncError::Api(_)
        | SyncError::Store(_)
        | SyncError::WrongInstance { .. }
        | SyncError::LeaseLost
        | SyncError::Blocked(_) => None,
    }
}

/// A renewal that fails is no loss: what is done under the lease checks it in its own transaction.
pub(super) async fn renew_until_lost<F>(renew: impl Fn() -> F)
where
    F: Future<Output = Result<bool, StoreError>>,
{
    loop {
        tokio::time::sleep(LEASE / 5).await;
        match renew().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::debug!("a lease could not be renewed: {error}"),
        }
    }
}
