//! Instants within the range that both databases can store. Made wherever a time enters from
//! outside. Knows no clock.

use std::time::Duration;

/// In milliseconds since 1970, from the first instant of year 1 to the last that is in year 9999 in
/// every time zone: what both databases and RFC 3339 can write.
const RANGE_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_207_200_999;

/// Below this an envelope timestamp must be in seconds: as milliseconds it would lie
/// before March 1973 (trap 15: the provider's documents disagree about the unit).
const SECONDS_BELOW: i64 = 100_000_000_000;

/// By how much the clocks of two replicas may differ, each told the time by one database.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// An instant: made from milliseconds it is within years 1 to 9999; one of PostgreSQL's clock has
/// the microseconds in which leases are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// From milliseconds since 1970; `None` where no database could store it.
    pub fn from_millis(milliseconds: i64) -> Option<Self> {
        // jiff's own constructor refuses the last 999 ms of its range.
        let nanoseconds = i32::try_from(milliseconds.rem_euclid(1000) * 1_000_000).ok()?;
        let timestamp = jiff::Timestamp::new(milliseconds.div_euclid(1000), nanoseconds).ok()?;
        RANGE_MS.contains(&milliseconds).then_some(Self(timestamp))
    }

    /// Reads an envelope timestamp, which may be in seconds or milliseconds.
    pub fn from_seconds_or_millis(number: i64) -> Option<Self> {
        if number.abs() < SECONDS_BELOW {
            Self::from_millis(number.checked_mul(1000)?)
        } else {
            Self::from_millis(number)
        }
    }

    pub(crate) fn from_micros(microseconds: i64) -> Option<Self> {
        // As in `from_millis`.
        let nanoseconds = i32::try_from(microseconds.rem_euclid(1_000_000) * 1_000).ok()?;
        jiff::Timestamp::new(microseconds.div_euclid(1_000_000), nanoseconds).ok().map(Self)
    }

    pub fn as_seconds(self) -> i64 {
        self.0.as_second()
    }

    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    pub(crate) fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// The same instant, later by `seconds`; `None` past year 9999.
    pub fn plus_seconds(self, seconds: i64) -> Option<Self> {
        Self::from_millis(self.as_millis().checked_add(seconds.checked_mul(1000)?)?)
    }

    /// Later by `duration`, at most the last instant that can be stored.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.checked_add(duration).unwrap_or(jiff::Timestamp::MAX))
    }

    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.checked_sub(duration).unwrap_or(jiff::Timestamp::MIN))
    }

    /// Whether this was at most `age` before `now`. What lies further ahead than clocks differ says
    /// nothing: a wrong clock wrote it.
    pub fn is_recent(self, now: Self, age: Duration) -> bool {
        self <= now.plus(CLOCK_SKEW) && now.since(self) < age
    }

    /// Time since `earlier`; zero where that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::try_from(self.0.duration_since(earlier.0)).unwrap_or_default()
    }
}

/// Cuts what a clock shows to the millisecond.
impl From<jiff::Timestamp> for Timestamp {
    fn from(timestamp: jiff::Timestamp) -> Self {
        Self::from_millis(timestamp.as_millisecond()).unwrap_or(Self(timestamp))
    }
}

impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse().map(Self)
    }
}

/// RFC 3339 in UTC, with milliseconds.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:.3}", self.0)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;
    use std::time::Duration;

    #[test]
    fn trap_15_envelope_timestamps_in_seconds_and_milliseconds_agree() {
        let seconds = Timestamp::from_seconds_or_millis(1_754_012_591);
        let millis = Timestamp::from_seconds_or_millis(1_754_012_591_000);
        assert_eq!(seconds, millis);
    }

    #[test]
    fn what_lies_ahead_of_the_clock_is_not_recent() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000).unwrap();
        for (seconds, is_recent) in
            [(39, false), (41, true), (100, true), (104, true), (106, false)]
        {
            assert_eq!(at(seconds).is_recent(at(100), Duration::from_secs(60)), is_recent);
        }
    }

    #[test]
    fn what_can_be_written_can_be_read_again() {
        for milliseconds in [253_402_207_200_999, -62_135_596_800_000, -1, 0] {
            let time = Timestamp::from_millis(milliseconds).unwrap();
            assert_eq!(Timestamp::from_micros(time.as_micros()), Some(time));
            assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(time));
        }
        let latest = Timestamp(jiff::Timestamp::MAX);
        assert!(Timestamp::from_micros(latest.as_micros()).is_some());
    }

    #[test]
    fn trap_15_an_instant_that_no_database_holds_is_refused() {
        assert_eq!(Timestamp::from_millis(i64::MAX), None);
        assert!(Timestamp::from_millis(253_402_207_200_999).is_some());
        assert_eq!(Timestamp::from_millis(253_402_207_201_000), None);
        assert!(Timestamp::from_millis(-1).is_some());
    }
}
