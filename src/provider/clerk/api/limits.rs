//! The numbers of the client: times, attempts, sizes.
//!
//! Read by the rest of this folder. Times are fields, not constants, so that tests of repeats and of
//! the breaker need not wait for them; only tests change them.

use crate::domain::Backoff;
use crate::provider::Priority;
use std::time::Duration;

/// Largest answer with one user.
pub(super) const USER_BYTES: usize = 1024 * 1024;
/// Largest page of 500 users.
pub(super) const PAGE_BYTES: usize = 64 * 1024 * 1024;
/// Largest other answer, and as much of an error's body as is read.
pub(super) const OTHER_BYTES: usize = 256 * 1024;
/// A larger page is parsed on a thread of its own: it takes milliseconds.
pub(super) const BLOCKING_PARSE_BYTES: usize = 256 * 1024;

/// Where the provider gives no other.
pub(super) const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    /// From sending to the end of the answer; for an interactive call with all its repeats.
    pub(super) call: Duration,
    /// The same for a page of users in the background.
    pub(super) page: Duration,
    pub(super) interactive_attempts: u32,
    /// Time after which an interactive call is not repeated.
    pub(super) interactive_retry_window: Duration,
    pub(super) background_attempts: u32,
    /// How long an interactive call waits for its permit.
    pub(super) interactive_wait: Duration,
    pub(super) background_wait: Duration,
    /// How long a call in the background waits while the breaker is open.
    pub(super) breaker_wait: Duration,
    pub(super) backoff: Backoff,
    /// How long the breaker stays open, longer after each trial that failed.
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
    pub(super) const fn max_wait(&self, priority: Priority) -> Duration {
        match priority {
            Priority::Interactive => self.interactive_wait,
            Priority::Background => self.background_wait,
        }
    }

    /// Whether a call sent `attempts` times may be sent again `elapsed` after it began.
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
    fn an_interactive_call_is_not_repeated_for_long() {
        let limits = Limits::default();
        let seconds = Duration::from_secs;
        assert!(limits.has_attempt(Interactive, 2, seconds(4)));
        assert!(!limits.has_attempt(Interactive, 3, seconds(1)));
        assert!(!limits.has_attempt(Interactive, 1, seconds(5)));
        assert!(limits.has_attempt(Background, 5, seconds(500)));
        assert!(!limits.has_attempt(Background, 6, seconds(1)));
    }
}
