//! What goes wrong, and when: seeded, so that a run can be repeated.
//!
//! TokenOptions by the API's gate for each request about users, and by `instance` for each event.
//! Decides from seed, purpose and number; never from the time.

use super::rng::{Draw, SeededRng};
use super::settings::Faults;
use std::time::Duration;

/// How often what happens, in a thousand cases.
struct Odds {
    duplicated: u64,
    reordered: u64,
    delayed: u64,
    dropped: u64,
    limited: u64,
    limited_silently: u64,
    failed: u64,
    slow: u64,
    slowest: u64,
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
    slowest: 200,
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
    slowest: 800,
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

/// What becomes of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EventFaults {
    /// It is never delivered.
    pub dropped: bool,
    /// It is delivered twice.
    pub duplicated: bool,
    /// So many later ones go first.
    pub behind: Option<u64>,
    /// It sets out late.
    pub delay: Option<Duration>,
}

/// The event_faults of the event of a number.
pub(super) fn event_faults(faults: Faults, rng: &SeededRng, number: u64) -> EventFaults {
    let Some(odds) = faults.odds() else {
        return EventFaults::default();
    };
    let draw = |purpose: &str| rng.draw(purpose, number);
    if draw("event dropped").happens(odds.dropped) {
        return EventFaults { dropped: true, ..EventFaults::default() };
    }
    let reordered = draw("event reordered").happens(odds.reordered);
    let delayed = draw("event delayed").happens(odds.delayed);
    EventFaults {
        dropped: false,
        duplicated: draw("event duplicated").happens(odds.duplicated),
        behind: reordered.then(|| 1 + draw("overtaken by").below(MOST_OVERTAKING)),
        delay: delayed.then(|| upto(draw("event late by"), odds.slowest)),
    }
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestFault {
    /// 429 that says when to come again.
    Limited { retry_after: u64 },
    /// 429 that does not.
    LimitedSilently,
    /// A 5xx, and nothing was done.
    Fault(ServerFault),
    /// A 5xx, though it was done.
    AnswerLost(ServerFault),
    /// The right answer, late.
    Slow(Duration),
}

/// A 5xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerFault {
    pub status: u16,
    /// A page of some proxy instead of the provider's JSON.
    pub page: bool,
}

/// The request_fault of the request of a number, where there is one.
pub(super) fn request_fault(
    faults: Faults,
    rng: &SeededRng,
    number: u64,
    writes: bool,
) -> Option<RequestFault> {
    let odds = faults.odds()?;
    let draw = |purpose: &str| rng.draw(purpose, number);
    let mut bar = 0;
    let dice = draw("request").below(1_000);
    let mut falls = |odds: u64| {
        bar += odds;
        dice < bar
    };
    if falls(odds.limited) {
        // Most are for the way that a wait is taken, few for the waiting.
        let waits = draw("retry after").happens(250);
        return Some(RequestFault::Limited { retry_after: u64::from(waits) });
    }
    if falls(odds.limited_silently) {
        return Some(RequestFault::LimitedSilently);
    }
    if falls(odds.failed) {
        let failure = failure(draw("failure"), draw("page"));
        let lost = writes && draw("answer lost").happens(500);
        return Some(if lost {
            RequestFault::AnswerLost(failure)
        } else {
            RequestFault::Fault(failure)
        });
    }
    falls(odds.slow).then(|| RequestFault::Slow(upto(draw("slow by"), odds.slowest)))
}

impl RequestFault {
    /// The name under which it is counted.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Limited { .. } => "limited",
            Self::LimitedSilently => "limited_silently",
            Self::Fault(_) => "failed",
            Self::AnswerLost(_) => "answer_lost",
            Self::Slow(_) => "slow",
        }
    }
}

fn failure(status: Draw, page: Draw) -> ServerFault {
    let status = match status.below(3) {
        0 => 500,
        1 => 502,
        _ => 503,
    };
    ServerFault { status, page: page.happens(333) }
}

fn upto(draw: Draw, milliseconds: u64) -> Duration {
    Duration::from_millis(10 + draw.below(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::{EventFaults, event_faults, request_fault};
    use crate::Faults;
    use crate::rng::SeededRng;

    fn run(seed: u64, faults: Faults) -> Vec<String> {
        let rng = SeededRng::new(seed, "ins_1");
        let fates = (0..500).map(|number| format!("{:?}", event_faults(faults, &rng, number)));
        let mishaps =
            (0..500).map(|number| format!("{:?}", request_fault(faults, &rng, number, true)));
        fates.chain(mishaps).collect()
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
            "Fault(",
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
