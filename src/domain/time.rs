//! Milliseconds since 1970, within the range that both databases can store. Made wherever a time
//! enters from outside. Knows no clock.

/// From the first instant of year 1 to the last that is in year 9999 in every time zone: what
/// both databases and RFC 3339 can write.
const RANGE_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_207_200_999;

/// Below this an envelope timestamp must be in seconds: as milliseconds it would lie
/// before March 1973 (trap 15: the provider's documents disagree about the unit).
const SECONDS_BELOW: i64 = 100_000_000_000;

/// Milliseconds since 1970-01-01T00:00:00Z, within years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(i64);

impl UnixMillis {
    pub const EPOCH: Self = Self(0);

    /// `None` where no database could store it.
    pub fn new(milliseconds: i64) -> Option<Self> {
        RANGE_MS.contains(&milliseconds).then_some(Self(milliseconds))
    }

    /// Reads an envelope timestamp, which may be in seconds or milliseconds.
    pub fn from_seconds_or_millis(number: i64) -> Option<Self> {
        if number.abs() < SECONDS_BELOW {
            Self::new(number.checked_mul(1000)?)
        } else {
            Self::new(number)
        }
    }

    /// The same instant, later by `seconds`; `None` past year 9999.
    pub fn plus_seconds(self, seconds: i64) -> Option<Self> {
        Self::new(self.0.checked_add(seconds.checked_mul(1000)?)?)
    }

    pub const fn get(self) -> i64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::UnixMillis;

    #[test]
    fn trap_15_envelope_timestamps_in_seconds_and_milliseconds_agree() {
        let seconds = UnixMillis::from_seconds_or_millis(1_754_012_591);
        let millis = UnixMillis::from_seconds_or_millis(1_754_012_591_000);
        assert_eq!(seconds, millis);
    }

    #[test]
    fn trap_15_an_instant_that_no_database_holds_is_refused() {
        assert_eq!(UnixMillis::new(i64::MAX), None);
        assert!(UnixMillis::new(253_402_207_200_999).is_some());
        assert_eq!(UnixMillis::new(253_402_207_201_000), None);
        assert!(UnixMillis::new(-1).is_some());
    }
}
