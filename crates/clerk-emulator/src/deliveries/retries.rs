//! The schedule by which failed deliveries are tried again. Read by the dispatcher.

use std::time::Duration;

/// A receiver's `Retry-After` is followed up to this or to twice the schedule's delay.
const SHORTEST_LIMIT: Duration = Duration::from_secs(1);

/// One delay after each failed attempt; when they are used up the delivery is abandoned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries(Vec<Duration>);

impl Retries {
    /// The provider's own schedule: 8 attempts over more than a day.
    pub fn standard() -> Self {
        Self([5, 300, 1_800, 7_200, 18_000, 36_000, 36_000].map(Duration::from_secs).to_vec())
    }

    /// 30 attempts, at most a second apart: for runs that should end.
    pub fn short() -> Self {
        let delay = |doublings: u32| Duration::from_millis((50 << doublings.min(5)).min(1_000));
        Self((0..29).map(delay).collect())
    }

    /// How long to wait after so many failures. The receiver's `Retry-After` is followed between
    /// once and twice the schedule's delay.
    pub(super) fn delay(&self, failures: usize, retry_after: Option<Duration>) -> Option<Duration> {
        let delay = *self.0.get(failures.checked_sub(1)?)?;
        let longest = SHORTEST_LIMIT.max(delay * 2);
        Some(retry_after.map_or(delay, |asked| asked.clamp(delay, longest)))
    }
}

#[cfg(test)]
mod tests {
    use super::Retries;
    use std::time::Duration;

    #[test]
    fn the_short_schedule_ends_and_follows_a_receiver_within_a_second() {
        let short = Retries::short();
        let seconds = Duration::from_secs;
        assert_eq!(short.delay(1, None), Some(Duration::from_millis(50)));
        assert_eq!(short.delay(29, None), Some(seconds(1)));
        assert_eq!(short.delay(30, None), None);
        assert_eq!(short.delay(1, Some(seconds(60))), Some(seconds(1)));
    }

    #[test]
    fn the_standard_schedule_is_the_provider_s() {
        let standard = Retries::standard();
        let seconds = Duration::from_secs;
        assert_eq!(standard.delay(1, None), Some(seconds(5)));
        assert_eq!(standard.delay(2, Some(seconds(1))), Some(seconds(300)));
        assert_eq!(standard.delay(2, Some(seconds(9_999))), Some(seconds(600)));
        assert_eq!(standard.delay(8, None), None);
    }
}
