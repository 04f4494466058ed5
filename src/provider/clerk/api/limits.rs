//! The limits of the client: its numbers, and what this replica counts alone.
//!
//! Read by the rest of this folder. Pure: the time is an argument. Times are fields, not constants, so
//! that tests of repeats and of the breaker need not wait for them; only tests change them. The budget
//! of all calls is not here, because replicas share it.

use crate::domain::Backoff;
use crate::provider::Priority;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// A longer pause is cut to this: no answer may silence this replica for good.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// No call before the provider's `Retry-After` is over (trap 37).
#[derive(Debug, Default)]
pub(super) struct ProviderPause {
    until: Option<Instant>,
}

impl ProviderPause {
    /// An earlier pause that ends later is kept.
    pub(super) fn lengthen(&mut self, pause: Duration, now: Instant) {
        self.until = self.until.max(Some(now + pause.min(LONGEST_PAUSE)));
    }

    pub(super) fn left(&self, now: Instant) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

/// The provider takes 10 changes of one user's metadata in 10 s (system limits, "rate
/// limits"); reads of a user are counted too, so that no caller circles around one.
const CALLS_PER_USER: usize = 10;
const WINDOW: Duration = Duration::from_secs(10);
/// Bound of memory: far more calls than any instance may make in the window.
const REMEMBERED_CALLS: usize = 16_384;

/// The calls of the last 10 s about each user.
#[derive(Debug, Default)]
pub(super) struct UserCallWindow {
    calls: HashMap<Arc<str>, VecDeque<Instant>>,
    /// Until when the count of all replicas refuses a user's calls.
    refused: HashMap<Arc<str>, Instant>,
    /// All calls, oldest first.
    order: VecDeque<(Instant, Arc<str>)>,
}

impl UserCallWindow {
    /// Time until another call about `user` may be made; zero if it may be made now.
    pub(super) fn left(&self, user: &str, now: Instant) -> Duration {
        let refused = self.refused.get(user);
        let refused = refused.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        refused.max(self.left_here(user, now))
    }

    fn left_here(&self, user: &str, now: Instant) -> Duration {
        let recent = |at: &&Instant| **at + WINDOW > now;
        let Some(calls) = self.calls.get(user) else { return Duration::ZERO };
        let mut recent = calls.iter().filter(recent).rev();
        let limiting = recent.nth(CALLS_PER_USER - 1);
        limiting.map_or(Duration::ZERO, |at| (*at + WINDOW).saturating_duration_since(now))
    }

    /// Counts a call about `user`; the error is the time until it may be made.
    pub(super) fn take(&mut self, user: &str, now: Instant) -> Result<(), Duration> {
        self.forget(now);
        let left = self.left(user, now);
        if !left.is_zero() {
            return Err(left);
        }
        let user: Arc<str> = user.into();
        self.order.push_back((now, Arc::clone(&user)));
        self.calls.entry(user).or_default().push_back(now);
        Ok(())
    }

    /// Notes that other replicas made the calls about `user` that may be made.
    pub(super) fn refuse(&mut self, user: &str, retry_after: Duration, now: Instant) {
        self.refused.retain(|_, until| *until > now);
        if self.refused.len() < REMEMBERED_CALLS {
            self.refused.insert(user.into(), now + retry_after);
        }
    }

    fn forget(&mut self, now: Instant) {
        let old = |order: &VecDeque<(Instant, Arc<str>)>| {
            order.len() >= REMEMBERED_CALLS
                || order.front().is_some_and(|(at, _)| *at + WINDOW <= now)
        };
        while old(&self.order) {
            let Some((_, user)) = self.order.pop_front() else { return };
            if let Some(calls) = self.calls.get_mut(&user) {
                calls.pop_front();
                if calls.is_empty() {
                    self.calls.remove(&user);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_PAUSE, Limits, ProviderPause, REMEMBERED_CALLS, UserCallWindow, WINDOW};
    use crate::provider::Priority::{Background, Interactive};
    use std::time::{Duration, Instant};

    const SECOND: Duration = Duration::from_secs(1);

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

    #[test]
    fn the_longest_pause_is_kept() {
        let (mut pause, now) = (ProviderPause::default(), Instant::now());
        assert_eq!(pause.left(now), Duration::ZERO);
        pause.lengthen(5 * SECOND, now);
        pause.lengthen(SECOND, now);
        assert_eq!(pause.left(now + SECOND), 4 * SECOND);
        assert_eq!(pause.left(now + 6 * SECOND), Duration::ZERO);
        pause.lengthen(Duration::MAX, now);
        assert_eq!(pause.left(now), LONGEST_PAUSE);
    }

    #[test]
    fn the_eleventh_call_about_one_user_within_ten_seconds_is_refused() {
        let (mut window, start) = (UserCallWindow::default(), Instant::now());
        for call in 0..10 {
            assert_eq!(window.take("user_1", start + call * SECOND / 2), Ok(()));
        }
        assert_eq!(window.take("user_1", start + 5 * SECOND), Err(5 * SECOND));
        assert_eq!(window.left("user_2", start), Duration::ZERO);
        assert_eq!(window.take("user_1", start + WINDOW), Ok(()));
        assert_eq!(window.take("user_1", start + WINDOW), Err(SECOND / 2));
    }

    #[test]
    fn the_memory_is_bounded_and_empties() {
        let (mut window, now) = (UserCallWindow::default(), Instant::now());
        for user in 0..REMEMBERED_CALLS + 100 {
            window.take(&user.to_string(), now).unwrap();
        }
        assert_eq!((window.order.len(), window.calls.len()), (REMEMBERED_CALLS, REMEMBERED_CALLS));
        window.take("user_1", now + WINDOW).unwrap();
        assert_eq!((window.order.len(), window.calls.len()), (1, 1));
    }
}
