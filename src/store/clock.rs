//! The clock that orders what this process fetches and writes: the database's.
//!
//! Told by the statements of `store` that ask the database for its time, and read by everybody who
//! needs an instant that other replicas compare with theirs. Between two readings it goes on by the
//! machine's monotonic clock, so that a wall clock that is wrong, or set, orders nothing; after a
//! machine was suspended it is behind until the next reading. SQLite's clock is the machine's. What
//! is compared with the provider's time, as the tolerance of a signature or the age of a token, is
//! the machine's too.

use crate::domain::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longer than an answer is on its way; a database's clock that is set back by more is followed.
const LATEST_ANSWER: Duration = Duration::from_secs(5);

/// For so long a reading counts against a later one that is behind it.
const BELIEVED_FOR: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Clock(Arc<State>);

struct State {
    machine: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// The database's time, and when its answer came.
    reading: Mutex<Option<(Timestamp, Instant)>>,
}

impl Clock {
    /// A clock that goes by `machine` until the database is asked.
    pub fn new(machine: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(State { machine: Box::new(machine), reading: Mutex::default() }))
    }

    /// By the machine's clock.
    pub fn machine_now(&self) -> Timestamp {
        (self.0.machine)()
    }

    /// By the database's clock; never ahead of it, but by as much as clocks differ in their speed.
    pub fn now(&self) -> Timestamp {
        let reading = *self.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.map_or_else(|| self.machine_now(), |(read, at)| read.plus(at.elapsed()))
    }

    /// Takes over the time that PostgreSQL has just answered, unless its answer was on its way for
    /// longer than that of the reading before.
    pub(super) fn set(&self, read: Timestamp) {
        let mut reading = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let young = reading.filter(|(_, at)| at.elapsed() < BELIEVED_FOR);
        let expected = young.map(|(read, at)| read.plus(at.elapsed()));
        let is_late = expected
            .is_some_and(|expected| expected > read && expected.since(read) < LATEST_ANSWER);
        if !is_late {
            *reading = Some((read, Instant::now()));
        }
    }
}

impl Default for Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn default() -> Self {
        Self::new(|| jiff::Timestamp::now().into())
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use crate::domain::Timestamp;
    use std::time::Duration;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_millis(number * 86_400_000).unwrap()
    }

    #[test]
    fn the_databases_time_counts_as_soon_as_it_is_known() {
        let clock = Clock::new(|| day(30));
        assert_eq!(clock.now(), day(30));
        clock.clone().set(day(1));
        // An answer that was on its way for long.
        clock.set(day(1).minus(Duration::from_secs(3)));
        assert!(clock.now() >= day(1) && clock.now() < day(1).plus(Duration::from_secs(60)));
        assert_eq!(clock.machine_now(), day(30));
    }
}
