//! How often one user is written to: freely a few times in a day, then less and less.
//!
//! Kept by `store`, which asks it before a write-back is claimed. An application that overwrites the
//! metadata with a copy of its own at every event would otherwise fight with us for ever. Pure.

use super::{Backoff, Timestamp};
use serde::Deserialize;
use std::time::Duration;

/// For so long a write counts: longer than twelve of the longest pauses, else the pauses would become
/// shorter again while the writes still do not last.
const COUNTED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Writes in that time after which the next does not wait.
const AT_WILL: usize = 3;

/// The pauses between writes that do not last, and after answers that cannot be understood.
pub const PAUSES: Backoff =
    Backoff { first: Duration::from_secs(30), longest: Duration::from_secs(60 * 60) };

/// When a user was last written to, in milliseconds, oldest first. More than twelve would not make
/// the pause longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct PatchLog(Vec<i64>);

impl PatchLog {
    /// How many writes count.
    pub fn count(&self, now: Timestamp) -> usize {
        self.recent(now).count()
    }

    /// How long the next write waits.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let repeat = self.count(now).checked_sub(AT_WILL + 1).and_then(|n| u32::try_from(n).ok());
        let pause = repeat.map_or(Duration::ZERO, |repeat| PAUSES.bound(repeat));
        let last = self.recent(now).last().and_then(Timestamp::from_millis);
        pause.saturating_sub(last.map_or(Duration::ZERO, |last| now.since(last)))
    }

    /// Later ones are left from before a clock was set back.
    fn recent(&self, now: Timestamp) -> impl Iterator<Item = i64> {
        let (from, to) = (now.minus(COUNTED_FOR).as_millis(), now.as_millis());
        self.0.iter().copied().filter(move |at| (from..=to).contains(at) && *at != from)
    }
}

#[cfg(test)]
mod tests {
    use super::PatchLog;
    use crate::domain::Timestamp;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000).unwrap()
    }

    fn log(seconds: &[i64]) -> PatchLog {
        PatchLog(seconds.iter().map(|second| at(*second).as_millis()).collect())
    }

    #[test]
    fn from_the_fifth_write_in_a_day_on_each_waits_twice_as_long_up_to_an_hour() {
        let pauses = (0..=12).map(|writes| log(&vec![0; writes]).wait(at(0)).as_secs());
        let expected = [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600];
        assert_eq!(pauses.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_pause_is_counted_from_the_last_write() {
        let log = log(&[0, 1, 2, 3]);
        assert_eq!([13, 33, 40].map(|now| log.wait(at(now)).as_secs()), [20, 0, 0]);
    }

    #[test]
    fn who_takes_our_values_away_at_once_for_days_is_written_to_once_an_hour() {
        let (mut writes, mut now, mut waits) = (Vec::new(), 0, Vec::new());
        for _ in 0..60 {
            let wait = log(&writes).wait(at(now)).as_secs();
            waits.push(wait);
            now += i64::try_from(wait).unwrap();
            writes.push(now);
            // The list holds no more.
            writes.drain(..writes.len().saturating_sub(12));
        }
        assert_eq!(waits[..11], [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920]);
        assert_eq!(waits[11..], [3600; 49]);
    }

    #[test]
    fn what_is_older_than_a_day_or_later_than_now_does_not_count() {
        const DAY: i64 = 24 * 60 * 60;
        let log = log(&[0, 0, 0, 0, 0, 50]);
        assert_eq!(
            [-1, 40, 60, DAY - 1, DAY, DAY + 50].map(|now| log.count(at(now))),
            [0, 5, 6, 6, 1, 0]
        );
        assert_eq!(log.wait(at(-1)).as_secs() + log.wait(at(DAY)).as_secs(), 0);
    }
}
