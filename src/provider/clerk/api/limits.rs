//! Every number of the client: how long, how often, how much.
//!
//! Read by the rest of this folder. The numbers are fields, not constants, so that a test of
//! repeats and breaks need not wait for them; nothing but tests changes them.

use crate::domain::Backoff;
use crate::provider::Priority;
use std::time::Duration;

/// The largest answer that holds one user.
pub(super) const USER_BYTES: usize = 1024 * 1024;
/// The largest page of 500 users.
pub(super) const PAGE_BYTES: usize = 64 * 1024 * 1024;
/// The largest other answer, and as much of an error's body as is read.
pub(super) const OTHER_BYTES: usize = 256 * 1024;
/// A page above this is read on a thread of its own: it takes milliseconds.
pub(super) const BLOCKING_PARSE_BYTES: usize = 256 * 1024;

/// When to come again where nothing better is known.
pub(super) const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long, and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Until a connection stands.
    pub(super) connect: Duration,
    /// From sending to the end of the answer; of a person's call with all its repeats.
    pub(super) call: Duration,
    /// The same of a page that nobody waits for.
    pub(super) page: Duration,
    /// How often a person's call is sent at most.
    pub(super) interactive_attempts: u32,
    /// After how long a person's call is not repeated any more.
    pub(super) interactive_retry_window: Duration,
    /// How often any other call is sent at most.
    pub(super) background_attempts: u32,
    /// How long a person waits for a turn.
    pub(super) interactive_wait: Duration,
    /// How long any other call waits for a turn, before its caller is asked to come again.
    pub(super) background_wait: Duration,
    /// How long any other call waits while the breaker is open.
    pub(super) breaker_wait: Duration,
    /// Between attempts.
    pub(super) backoff: Backoff,
    /// How long the breaker stays open.
    pub(super) breaker: Backoff,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            call: Duration::from_secs(10),
            page: Duration::from_secs(30),
            interactive_attempts: 3,
            interactive_retry_window: Duration::from_secs(5),
            background_attempts: 6,
            interactive_wait: Duration::from_secs(2),
            background_wait: Duration::from_secs(60),
            breaker_wait: Duration::from_secs(30),
            backoff: Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5) },
            breaker: Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) },
        }
    }
}

impl Limits {
    /// How long a call waits for a turn.
    pub(super) const fn max_wait(&self, priority: Priority) -> Duration {
        match priority {
            Priority::Interactive => self.interactive_wait,
            Priority::Background => self.background_wait,
        }
    }

    /// Whether a call that was sent `attempts` times and will be due `elapsed` after it began
    /// may be sent once more.
    pub(super) fn has_attempt(&self, priority: Priority, attempts: u32, elapsed: Duration) -> bool {
        match priority {
            Priority::Interactive => {
                attempts < self.interactive_attempts && elapsed < self.interactive_retry_window
            }
            Priority::Background => attempts < self.background_attempts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use crate::provider::Priority::{Background, Interactive};
    use std::time::Duration;

    #[test]
    fn a_person_is_not_kept_waiting_for_repeats() {
        let limits = Limits::default();
        let seconds = Duration::from_secs;
        assert!(limits.has_attempt(Interactive, 2, seconds(4)));
        assert!(!limits.has_attempt(Interactive, 3, seconds(1)));
        assert!(!limits.has_attempt(Interactive, 1, seconds(5)));
        assert!(limits.has_attempt(Background, 5, seconds(500)));
        assert!(!limits.has_attempt(Background, 6, seconds(1)));
    }
}
