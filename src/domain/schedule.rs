//! When recurring work is due. Read by configuration, asked by `sync`; the current time is an
//! argument.

use std::time::Duration;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// This long after the previous run.
    Every(Duration),
    /// Each day this long after midnight UTC.
    Daily(Duration),
}

impl Schedule {
    /// How long from `now_ms` (milliseconds since 1970) the next run is due.
    pub fn wait(self, now_ms: i64) -> Duration {
        match self {
            Self::Every(interval) => interval,
            Self::Daily(after_midnight) => {
                let at_ms = i64::try_from(after_midnight.as_millis()).unwrap_or(0);
                let since_midnight_ms = now_ms.rem_euclid(DAY_MS);
                // At the very instant it is due tomorrow: today's is what runs now.
                let left_ms = (at_ms - since_midnight_ms - 1).rem_euclid(DAY_MS) + 1;
                Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
            }
        }
    }

    /// Reads `90s`, `15m`, `6h`, `1d`, `daily`, or a time of the day in UTC as `03:30`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "daily" {
            return Some(Self::Every(Duration::from_secs(24 * 60 * 60)));
        }
        if let Some((hours, minutes)) = text.split_once(':') {
            let number = |text: &str, end: u64| {
                let fits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse().ok().filter(|number: &u64| fits && *number < end)
            };
            let minutes = number(hours, 24)? * 60 + number(minutes, 60)?;
            return Some(Self::Daily(Duration::from_secs(minutes * 60)));
        }
        parse_interval(text).map(Self::Every)
    }
}

/// Reads an interval: a duration from a second to a year.
pub fn parse_interval(text: &str) -> Option<Duration> {
    let seconds = 1..=366 * 24 * 60 * 60;
    parse_duration(text).filter(|interval| seconds.contains(&interval.as_secs()))
}

/// Reads a duration: a number with `s`, `m`, `h` or `d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let seconds = match text.strip_prefix(digits)? {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok());
    u64::checked_mul(number??, seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, Schedule, parse_interval};
    use std::time::Duration;

    const HOUR_MS: i64 = 60 * 60 * 1000;

    const fn every(seconds: u64) -> Schedule {
        Schedule::Every(Duration::from_secs(seconds))
    }

    #[test]
    fn intervals_and_times_of_the_day_are_read() {
        assert_eq!(Schedule::parse("90s"), Some(every(90)));
        assert_eq!(Schedule::parse("15m"), Some(every(900)));
        assert_eq!(Schedule::parse("6h"), Some(every(21_600)));
        assert_eq!(Schedule::parse("1d"), Schedule::parse("daily"));
        let half_past_three = Duration::from_secs(12_600);
        assert_eq!(Schedule::parse("03:30"), Some(Schedule::Daily(half_past_three)));
        for text in [
            "",
            "s",
            "0s",
            "5",
            "-5m",
            "1.5h",
            "+1h",
            "5 m",
            "24:00",
            "3:30",
            "03:60",
            "+1:30",
            "400d",
            "99999999999999999999s",
            "1w",
        ] {
            assert_eq!(Schedule::parse(text), None, "{text}");
        }
        assert_eq!(parse_interval("03:30"), None);
    }

    #[test]
    fn a_time_of_the_day_comes_once_a_day() {
        let daily = Schedule::parse("03:30").unwrap();
        let wait_ms = |now_ms| i64::try_from(daily.wait(now_ms).as_millis()).unwrap();
        let at = 3 * HOUR_MS + HOUR_MS / 2;
        for day in [0, 20_000 * DAY_MS] {
            assert_eq!(wait_ms(day), at);
            assert_eq!(wait_ms(day + at - 1), 1);
            assert_eq!(wait_ms(day + at), DAY_MS);
            assert_eq!(wait_ms(day + at + 1), DAY_MS - 1);
        }
        assert_eq!(wait_ms(-1), at + 1);
    }
}
