//! The provider's key set, kept in memory and fetched when it must be.
//!
//! Called by [`super::Sessions`] for each token that is not known yet. However many ask,
//! one fetch is under way; `standing` says when the next one may be, `fetch` does it.

use super::JwksAddress;
use super::fetch::JwksFetcher;
use super::standing::{CacheDecision, FetchReason, JwksCache, KeyLookup, RefreshIntervals};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::OwnedMutexGuard;

/// The keys at an address.
#[derive(Debug)]
pub(super) struct JwksClient {
    fetcher: JwksFetcher,
    intervals: RefreshIntervals,
    cache: Mutex<JwksCache>,
    /// Held by the one fetch that is under way.
    flight: Arc<tokio::sync::Mutex<()>>,
}

impl JwksClient {
    pub(super) fn new(address: JwksAddress, intervals: RefreshIntervals) -> Self {
        let (cache, flight) = (Mutex::default(), Arc::default());
        Self { fetcher: JwksFetcher::new(address), intervals, cache, flight }
    }

    /// The key of a name, for whoever asks at `now`.
    pub(super) async fn key(self: &Arc<Self>, key_id: &str, now: Instant) -> KeyLookup {
        let (decision, attempts) = {
            let cache = self.cache();
            (cache.decide(key_id, now, &self.intervals), cache.attempts())
        };
        let reason = match decision {
            CacheDecision::Respond(answer) => return answer,
            CacheDecision::Fetch(reason) => reason,
        };
        let flight = Arc::clone(&self.flight).lock_owned().await;
        // Whoever waited here for another's fetch lives with what that one brought.
        if self.cache().attempts() == attempts {
            let jwks = Arc::clone(self);
            // A task of its own: a client that hangs up must not take the fetch along for
            // which others wait. Should the task itself be lost, the standing tells.
            tokio::spawn(async move { jwks.load(reason, now, flight).await }).await.ok();
        }
        self.cache().answer(key_id)
    }

    async fn load(&self, reason: FetchReason, requested_at: Instant, _flight: OwnedMutexGuard<()>) {
        let started_at = Instant::now();
        let outcome = self.fetcher.fetch().await;
        // Counted from the instant that the asker named: the clock is the asker's.
        let ended_at = requested_at.checked_add(started_at.elapsed()).unwrap_or(requested_at);
        if let Err(fault) = &outcome {
            tracing::warn!(
                host = self.fetcher.host(),
                "the provider's session keys could not be loaded, known ones stay in use: {fault}"
            );
        }
        self.cache().record(outcome.ok(), reason, ended_at);
    }

    fn cache(&self) -> MutexGuard<'_, JwksCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
