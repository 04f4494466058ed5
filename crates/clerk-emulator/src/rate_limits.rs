//! The provider's rate limits, enforced if the settings say so.
//!
//! Called by `middleware` for each request. Takes the time as an argument.

use std::collections::{HashMap, VecDeque};

const WINDOW_MS: i64 = 10_000;

/// Requests per window of a development instance.
const INSTANCE: usize = 100;

/// Changes of one user per window.
const USER: usize = 10;

/// The times of the requests of the last window.
#[derive(Debug, Default)]
pub(crate) struct RateLimits {
    instance: VecDeque<i64>,
    users: HashMap<String, VecDeque<i64>>,
}

impl RateLimits {
    /// Records a request, or returns the seconds until it would pass. `changed` is the user that it
    /// would change.
    pub(crate) fn pass(&mut self, changed: Option<&str>, now: i64) -> Result<(), u64> {
        self.users.retain(|_, times| times.back().is_some_and(|last| now - last < WINDOW_MS));
        let user = changed.map(|id| self.users.entry(id.to_owned()).or_default());
        let limits = [(Some(&mut self.instance), INSTANCE), (user, USER)];
        let mut limits: Vec<_> =
            limits.into_iter().filter_map(|(times, most)| Some((times?, most))).collect();
        for (times, most) in &mut limits {
            while times.front().is_some_and(|first| now - first >= WINDOW_MS) {
                times.pop_front();
            }
            if let Some(first) = times.front().filter(|_| times.len() >= *most) {
                let left = u64::try_from(first + WINDOW_MS - now).unwrap_or(0);
                return Err(left.div_ceil(1_000));
            }
        }
        for (times, _) in limits {
            times.push_back(now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::RateLimits;

    #[test]
    fn an_eleventh_change_of_a_user_waits_for_the_first_to_leave_the_window() {
        let mut rate_limits = RateLimits::default();
        for now in 0..10 {
            assert_eq!(rate_limits.pass(Some("u1"), now * 100), Ok(()));
        }
        assert_eq!(rate_limits.pass(Some("u1"), 1_000), Err(9));
        assert_eq!(rate_limits.pass(Some("u2"), 1_000), Ok(()));
        assert_eq!(rate_limits.pass(None, 1_000), Ok(()));
        assert_eq!(rate_limits.pass(Some("u1"), 10_000), Ok(()));
    }

    #[test]
    fn the_hundred_and_first_request_waits() {
        let mut rate_limits = RateLimits::default();
        assert!((0..100).all(|_| rate_limits.pass(None, 0).is_ok()));
        assert_eq!(rate_limits.pass(None, 9_500), Err(1));
        assert_eq!(rate_limits.pass(None, 10_000), Ok(()));
    }
}
