//! What is known of the provider's keys at an instant, and whether to ask again.
//!
//! Called by `jwks`. Pure: instants are arguments, nothing is fetched here.

use super::keys::{KeySet, PublicKey};
use std::time::{Duration, Instant};

/// How long things are left as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefreshIntervals {
    /// For how long a set counts as fresh.
    pub(super) fresh_for: Duration,
    /// How far apart two fetches are that a known set did not satisfy: for a key that it
    /// lacks, or after a refresh that failed (trap 41: else whoever makes up names of keys
    /// makes us ask the provider for each).
    pub(super) between_misses: Duration,
    /// How far apart two fetches are while nothing is known at all.
    pub(super) between_retries: Duration,
}

impl RefreshIntervals {
    pub(super) const DEFAULT: Self = Self {
        fresh_for: Duration::from_secs(5 * 60),
        between_misses: Duration::from_secs(30),
        between_retries: Duration::from_secs(1),
    };
}

/// The answer to whoever asks for a key.
#[derive(Clone, Debug)]
pub(super) enum KeyLookup {
    /// This is the key.
    Found(PublicKey),
    /// The provider has no key of that name.
    Unknown,
    /// No set was ever loaded.
    Unavailable,
}

/// What to do for whoever asks for a key.
#[derive(Clone, Debug)]
pub(super) enum CacheDecision {
    /// Nothing: this is the answer.
    Respond(KeyLookup),
    /// Fetch the set, or wait for who is fetching it already.
    Fetch(FetchReason),
}

/// Why the set is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchReason {
    /// There is none, or it is old.
    Age,
    /// It lacks the key that a token names.
    UnknownKey,
}

/// The last set that could be loaded, and when things happened to it.
#[derive(Debug, Default)]
pub(super) struct JwksCache {
    set: Option<KeySet>,
    loaded_at: Option<Instant>,
    failed_at: Option<Instant>,
    missed_at: Option<Instant>,
    attempts: u64,
}

impl JwksCache {
    /// How many fetches have ended: whoever waited for one sees by it that one has.
    pub(super) fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Decides for whoever asks at `now`.
    pub(super) fn decide(
        &self,
        key_id: &str,
        now: Instant,
        intervals: &RefreshIntervals,
    ) -> CacheDecision {
        let within = |instant: Option<Instant>, span: Duration| {
            instant.is_some_and(|instant| now.saturating_duration_since(instant) < span)
        };
        let Some(set) = &self.set else {
            let wait = within(self.failed_at, intervals.between_retries);
            return if wait {
                CacheDecision::Respond(KeyLookup::Unavailable)
            } else {
                CacheDecision::Fetch(FetchReason::Age)
            };
        };
        if !within(self.loaded_at, intervals.fresh_for)
            && !within(self.failed_at, intervals.between_misses)
        {
            return CacheDecision::Fetch(FetchReason::Age);
        }
        match set.find(key_id) {
            None if !within(self.missed_at, intervals.between_misses) => {
                CacheDecision::Fetch(FetchReason::UnknownKey)
            }
            _ => CacheDecision::Respond(self.answer(key_id)),
        }
    }

    /// The answer by what is known, however old.
    pub(super) fn answer(&self, key_id: &str) -> KeyLookup {
        match self.set.as_ref().map(|set| set.find(key_id)) {
            None => KeyLookup::Unavailable,
            Some(None) => KeyLookup::Unknown,
            Some(Some(key)) => KeyLookup::Found(key.clone()),
        }
    }

    /// Takes in how a fetch ended; one that failed leaves the old set standing.
    pub(super) fn record(&mut self, loaded: Option<KeySet>, reason: FetchReason, at: Instant) {
        self.attempts = self.attempts.wrapping_add(1);
        if reason == FetchReason::UnknownKey {
            self.missed_at = Some(at);
        }
        if let Some(set) = loaded {
            (self.set, self.loaded_at, self.failed_at) = (Some(set), Some(at), None);
        } else {
            self.failed_at = Some(at);
        }
    }
}
