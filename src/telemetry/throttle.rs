//! A brake for log lines that a stranger can cause.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lets one line through in a while, and counts those held back in between.
#[derive(Debug, Default)]
pub struct Throttle {
    state: Mutex<(Option<Instant>, u64)>,
}

/// How long one line stands for all.
const PAUSE: Duration = Duration::from_secs(10);

impl Throttle {
    /// Whether to log now: `Some` with the number of lines held back since the last one.
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match state.0 {
            Some(last) if now.saturating_duration_since(last) < PAUSE => {
                state.1 += 1;
                None
            }
            _ => {
                state.0 = Some(now);
                Some(std::mem::take(&mut state.1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Throttle;
    use std::time::{Duration, Instant};

    #[test]
    fn one_line_passes_and_the_next_says_how_many_were_held_back() {
        let throttle = Throttle::default();
        let start = Instant::now();
        assert_eq!(throttle.pass(start), Some(0));
        assert_eq!(throttle.pass(start + Duration::from_secs(1)), None);
        assert_eq!(throttle.pass(start + Duration::from_secs(2)), None);
        assert_eq!(throttle.pass(start + Duration::from_secs(10)), Some(2));
    }
}
