//! How long to wait before the next attempt: full jitter under a doubling bound.
//!
//! Called by `app`, `cli`, `sync` and `provider`. Pure: the random number is an argument.

use std::time::Duration;

/// Bounds of the delays between attempts.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Bound of the first delay.
    pub first: Duration,
    /// Bound of any delay.
    pub longest: Duration,
}

impl Backoff {
    /// Bound of the delay before the repeat number `repeat`, from 0.
    pub fn bound(&self, repeat: u32) -> Duration {
        let doubled = 1_u32.checked_shl(repeat).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.longest)
    }

    /// The delay before the repeat number `repeat`. Anything up to the bound, so that replicas that
    /// failed together do not come back together.
    pub fn delay(&self, repeat: u32, random: u32) -> Duration {
        self.bound(repeat).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    const BACKOFF: Backoff =
        Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5) };

    #[test]
    fn the_bound_doubles_up_to_the_longest() {
        let bounds =
            [0, 1, 2, 5, 6, 31, 32, u32::MAX].map(|repeat| BACKOFF.delay(repeat, u32::MAX));
        let expected = [100, 200, 400, 3200, 5000, 5000, 5000, 5000].map(Duration::from_millis);
        assert_eq!(bounds, expected);
    }

    #[test]
    fn the_delay_is_anything_up_to_the_bound() {
        assert_eq!(BACKOFF.delay(3, 0), Duration::ZERO);
        let middle = BACKOFF.delay(3, u32::MAX / 2);
        assert!((399..=401).contains(&middle.as_millis()), "{middle:?}");
    }
}
