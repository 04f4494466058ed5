//! The provider's key set, kept in memory and fetched when it must be.
//!
//! Called by [`super::Sessions`] for each token that is not known yet. However many ask,
//! one fetch is under way; `standing` says when the next one may be, `fetch` does it.

use super::JwksAddress;
use super::fetch::Source;
use super::standing::{Answer, Cause, Pace, Standing, Step};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::OwnedMutexGuard;

/// The keys at an address.
#[derive(Debug)]
pub(super) struct Jwks {
    source: Source,
    pace: Pace,
    standing: Mutex<Standing>,
    /// Held by the one fetch that is under way.
    flight: Arc<tokio::sync::Mutex<()>>,
}

impl Jwks {
    pub(super) fn new(address: JwksAddress, pace: Pace) -> Self {
        let (standing, flight) = (Mutex::default(), Arc::default());
        Self { source: Source::new(address), pace, standing, flight }
    }

    /// The key of a name, for whoever asks at `now`.
    pub(super) async fn key(self: &Arc<Self>, key_id: &str, now: Instant) -> Answer {
        let (step, attempts) = {
            let standing = self.standing();
            (standing.step(key_id, now, &self.pace), standing.attempts())
        };
        let cause = match step {
            Step::Settled(answer) => return answer,
            Step::Fetch(cause) => cause,
        };
        let flight = Arc::clone(&self.flight).lock_owned().await;
        // Whoever waited here for another's fetch lives with what that one brought.
        if self.standing().attempts() == attempts {
            let jwks = Arc::clone(self);
            // A task of its own: a client that hangs up must not take the fetch along for
            // which others wait. Should the task itself be lost, the standing tells.
            tokio::spawn(async move { jwks.load(cause, now, flight).await }).await.ok();
        }
        self.standing().answer(key_id)
    }

    async fn load(&self, cause: Cause, asked_at: Instant, _flight: OwnedMutexGuard<()>) {
        let started_at = Instant::now();
        let outcome = self.source.fetch().await;
        // Counted from the instant that the asker named: the clock is the asker's.
        let ended_at = asked_at.checked_add(started_at.elapsed()).unwrap_or(asked_at);
        if let Err(fault) = &outcome {
            tracing::warn!(
                host = self.source.host(),
                "the provider's session keys could not be loaded, known ones stay in use: {fault}"
            );
        }
        self.standing().record(outcome.ok(), cause, ended_at);
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
