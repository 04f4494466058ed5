//! Limits that this replica keeps alone: the pause that the provider demanded, and the calls about
//! one user.
//!
//! Called by [`super::limiter`]. Pure: the time is an argument. The budget of all calls is not here,
//! because replicas share it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// All calls, oldest first.
    order: VecDeque<(Instant, Arc<str>)>,
}

impl UserCallWindow {
    /// Time until another call about `user` may be made; zero if it may be made now.
    pub(super) fn left(&self, user: &str, now: Instant) -> Duration {
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
    use super::{LONGEST_PAUSE, ProviderPause, REMEMBERED_CALLS, UserCallWindow, WINDOW};
    use std::time::{Duration, Instant};

    const SECOND: Duration = Duration::from_secs(1);

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
