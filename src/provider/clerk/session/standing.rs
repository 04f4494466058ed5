//! What is known of the provider's keys at an instant, and whether to ask again.
//!
//! Called by `jwks`. Pure: instants are arguments, nothing is fetched here.

use super::keys::{KeySet, PublicKey};
use std::time::{Duration, Instant};

/// How long things are left as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// For how long a set counts as fresh.
    pub(super) keep: Duration,
    /// How far apart two fetches are that a known set did not satisfy: for a key that it
    /// lacks, or after a refresh that failed (trap 41: else whoever makes up names of keys
    /// makes us ask the provider for each).
    pub(super) patience: Duration,
    /// How far apart two fetches are while nothing is known at all.
    pub(super) retry: Duration,
}

impl Pace {
    pub(super) const USUAL: Self = Self {
        keep: Duration::from_secs(5 * 60),
        patience: Duration::from_secs(30),
        retry: Duration::from_secs(1),
    };
}

/// The answer to whoever asks for a key.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// This is the key.
    Key(PublicKey),
    /// The provider has no key of that name.
    Unknown,
    /// No set was ever loaded.
    Unavailable,
}

/// What to do for whoever asks for a key.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Nothing: this is the answer.
    Settled(Answer),
    /// Fetch the set, or wait for who is fetching it already.
    Fetch(Cause),
}

/// Why the set is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// There is none, or it is old.
    Age,
    /// It lacks the key that a token names.
    UnknownKey,
}

/// The last set that could be loaded, and when things happened to it.
#[derive(Debug, Default)]
pub(super) struct Standing {
    set: Option<KeySet>,
    loaded_at: Option<Instant>,
    failed_at: Option<Instant>,
    missed_at: Option<Instant>,
    attempts: u64,
}

impl Standing {
    /// How many fetches have ended: whoever waited for one sees by it that one has.
    pub(super) fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Decides for whoever asks at `now`.
    pub(super) fn step(&self, key_id: &str, now: Instant, pace: &Pace) -> Step {
        let within = |instant: Option<Instant>, span: Duration| {
            instant.is_some_and(|instant| now.saturating_duration_since(instant) < span)
        };
        let Some(set) = &self.set else {
            let wait = within(self.failed_at, pace.retry);
            return if wait { Step::Settled(Answer::Unavailable) } else { Step::Fetch(Cause::Age) };
        };
        if !within(self.loaded_at, pace.keep) && !within(self.failed_at, pace.patience) {
            return Step::Fetch(Cause::Age);
        }
        match set.find(key_id) {
            None if !within(self.missed_at, pace.patience) => Step::Fetch(Cause::UnknownKey),
            _ => Step::Settled(self.answer(key_id)),
        }
    }

    /// The answer by what is known, however old.
    pub(super) fn answer(&self, key_id: &str) -> Answer {
        match self.set.as_ref().map(|set| set.find(key_id)) {
            None => Answer::Unavailable,
            Some(None) => Answer::Unknown,
            Some(Some(key)) => Answer::Key(key.clone()),
        }
    }

    /// Takes in how a fetch ended; one that failed leaves the old set standing.
    pub(super) fn record(&mut self, loaded: Option<KeySet>, cause: Cause, at: Instant) {
        self.attempts = self.attempts.wrapping_add(1);
        if cause == Cause::UnknownKey {
            self.missed_at = Some(at);
        }
        if let Some(set) = loaded {
            (self.set, self.loaded_at, self.failed_at) = (Some(set), Some(at), None);
        } else {
            self.failed_at = Some(at);
        }
    }
}
