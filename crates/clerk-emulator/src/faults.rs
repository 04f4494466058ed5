//! Which faults are injected, and where: seeded, so that a run can be repeated.
//!
//! `middleware` asks for each request about users, `instance::events` for each event. Decides from
//! seed, purpose and number, never from the time.

use crate::Faults;
use crate::rng::SeededRng;
use std::time::Duration;

/// How often each fault happens, in a thousand cases.
struct Odds {
    duplicated: u64,
    reordered: u64,
    delayed: u64,
    dropped: u64,
    limited: u64,
    limited_silently: u64,
    failed: u64,
    slow: u64,
    longest_delay_ms: u64,
}

const LIGHT: Odds = Odds {
    duplicated: 50,
    reordered: 50,
    delayed: 50,
    dropped: 10,
    limited: 20,
    limited_silently: 5,
    failed: 20,
    slow: 30,
    longest_delay_ms: 200,
};

const HEAVY: Odds = Odds {
    duplicated: 150,
    reordered: 150,
    delayed: 150,
    dropped: 50,
    limited: 60,
    limited_silently: 30,
    failed: 50,
    slow: 100,
    longest_delay_ms: 800,
};

/// How many later events may overtake one that is held back.
const MOST_OVERTAKING: u64 = 8;

impl Faults {
    fn odds(self) -> Option<&'static Odds> {
        match self {
            Self::None => None,
            Self::Light => Some(&LIGHT),
            Self::Heavy => Some(&HEAVY),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventFaults {
    pub dropped: bool,
    pub duplicated: bool,
    /// So many later events are delivered first.
    pub behind: Option<u64>,
    pub delay: Option<Duration>,
}

impl EventFaults {
    /// Each fault that happened, by the name under which it is counted.
    pub(crate) fn kinds(self) -> impl Iterator<Item = &'static str> {
        let delayed = self.behind.is_none() && self.delay.is_some();
        [
            ("dropped", self.dropped),
            ("duplicated", self.duplicated),
            ("reordered", self.behind.is_some()),
            ("delayed", delayed),
        ]
        .into_iter()
        .filter_map(|(kind, happened)| happened.then_some(kind))
    }
}

pub(crate) fn event_faults(faults: Faults, rng: &SeededRng, number: u64) -> EventFaults {
    let Some(odds) = faults.odds() else {
        return EventFaults::default();
    };
    if rng.happens("event dropped", number, odds.dropped) {
        return EventFaults { dropped: true, ..EventFaults::default() };
    }
    let reordered = rng.happens("event reordered", number, odds.reordered);
    let delayed = rng.happens("event delayed", number, odds.delayed);
    EventFaults {
        dropped: false,
        duplicated: rng.happens("event duplicated", number, odds.duplicated),
        behind: reordered.then(|| 1 + rng.below("overtaken by", number, MOST_OVERTAKING)),
        delay: delayed.then(|| delay(rng, "event late by", number, odds)),
    }
}

/// The fault of one API request, counted under its name in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum RequestFault {
    /// 429 with `Retry-After`, in seconds.
    Limited { retry_after: u64 },
    /// 429 without.
    LimitedSilently,
    /// A 5xx, and nothing was done.
    Failed(ServerFault),
    /// A 5xx although the request was carried out.
    AnswerLost(ServerFault),
    /// The right answer, late.
    Slow(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerFault {
    pub status: u16,
    /// An HTML page, as a proxy sends it, instead of the provider's JSON.
    pub page: bool,
}

pub(crate) fn request_fault(
    faults: Faults,
    rng: &SeededRng,
    number: u64,
    writes: bool,
) -> Option<RequestFault> {
    let odds = faults.odds()?;
    let draw = rng.below("request", number, 1_000);
    let mut bound = 0;
    let mut falls = |permille: u64| {
        bound += permille;
        draw < bound
    };
    if falls(odds.limited) {
        // A quarter waits a second; the rest only tests that the header is read.
        let waits = rng.happens("retry after", number, 250);
        return Some(RequestFault::Limited { retry_after: u64::from(waits) });
    }
    if falls(odds.limited_silently) {
        return Some(RequestFault::LimitedSilently);
    }
    if falls(odds.failed) {
        let fault = server_fault(rng, number);
        let lost = writes && rng.happens("answer lost", number, 500);
        return Some(if lost {
            RequestFault::AnswerLost(fault)
        } else {
            RequestFault::Failed(fault)
        });
    }
    falls(odds.slow).then(|| RequestFault::Slow(delay(rng, "slow by", number, odds)))
}

fn server_fault(rng: &SeededRng, number: u64) -> ServerFault {
    let status = match rng.below("failure", number, 3) {
        0 => 500,
        1 => 502,
        _ => 503,
    };
    ServerFault { status, page: rng.happens("page", number, 333) }
}

fn delay(rng: &SeededRng, purpose: &str, number: u64, odds: &Odds) -> Duration {
    Duration::from_millis(10 + rng.below(purpose, number, odds.longest_delay_ms))
}

#[cfg(test)]
mod tests {
    use super::{EventFaults, event_faults, request_fault};
    use crate::Faults;
    use crate::rng::SeededRng;

    fn run(seed: u64, faults: Faults) -> Vec<String> {
        let rng = SeededRng::new(seed, "ins_1");
        let events = (0..500).map(|number| format!("{:?}", event_faults(faults, &rng, number)));
        let requests =
            (0..500).map(|number| format!("{:?}", request_fault(faults, &rng, number, true)));
        events.chain(requests).collect()
    }

    #[test]
    fn one_seed_gives_one_run_and_another_gives_another() {
        assert_eq!(run(1, Faults::Heavy), run(1, Faults::Heavy));
        assert_ne!(run(1, Faults::Heavy), run(2, Faults::Heavy));
    }

    #[test]
    fn every_kind_of_fault_happens_and_none_without_faults() {
        let text = run(3, Faults::Heavy).join(" ");
        for kind in [
            "dropped: true",
            "duplicated: true",
            "behind: Some",
            "delay: Some",
            "Limited { retry_after: 0 }",
            "Limited { retry_after: 1 }",
            "LimitedSilently",
            "Failed(",
            "AnswerLost(",
            "page: true",
            "Slow(",
        ] {
            assert!(text.contains(kind), "{kind}");
        }
        let rng = SeededRng::new(3, "ins_1");
        let quiet = |number| {
            event_faults(Faults::None, &rng, number) == EventFaults::default()
                && request_fault(Faults::None, &rng, number, true).is_none()
        };
        assert!((0..500).all(quiet));
    }
}
