//! Limits log lines that any client can cause to one in ten seconds. Used by `http`, `ingest`,
//! `provider` and `sync`.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lets one line pass per interval and counts those suppressed in between.
#[derive(Debug, Default)]
pub struct Throttle {
    state: Mutex<(Option<Instant>, u64)>,
}

const PAUSE: Duration = Duration::from_secs(10);

impl Throttle {
    /// `Some` if the line may be logged, with the number suppressed since the last one.
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
    fn one_line_passes_and_the_next_says_how_many_were_suppressed() {
        let throttle = Throttle::default();
        let start = Instant::now();
        assert_eq!(throttle.pass(start), Some(0));
        assert_eq!(throttle.pass(start + Duration::from_secs(1)), None);
        assert_eq!(throttle.pass(start + Duration::from_secs(2)), None);
        assert_eq!(throttle.pass(start + Duration::from_secs(10)), Some(2));
    }
}
