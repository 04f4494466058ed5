//! What goes wrong, and when: seeded, so that a run can be repeated.
//!
//! Asked by the API's gate for each request about users, and by `world` for each event.
//! Decides from seed, purpose and number; never from the time.

use super::chance::{Chance, Draw};
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
pub(super) struct Fate {
    /// It is never delivered.
    pub dropped: bool,
    /// It is delivered twice.
    pub duplicated: bool,
    /// So many later ones go first.
    pub behind: Option<u64>,
    /// It sets out late.
    pub delay: Option<Duration>,
}

/// The fate of the event of a number.
pub(super) fn fate(faults: Faults, chance: &Chance, number: u64) -> Fate {
    let Some(odds) = faults.odds() else {
        return Fate::default();
    };
    let draw = |purpose: &str| chance.draw(purpose, number);
    if draw("event dropped").happens(odds.dropped) {
        return Fate { dropped: true, ..Fate::default() };
    }
    let reordered = draw("event reordered").happens(odds.reordered);
    let delayed = draw("event delayed").happens(odds.delayed);
    Fate {
        dropped: false,
        duplicated: draw("event duplicated").happens(odds.duplicated),
        behind: reordered.then(|| 1 + draw("overtaken by").below(MOST_OVERTAKING)),
        delay: delayed.then(|| upto(draw("event late by"), odds.slowest)),
    }
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// 429 that says when to come again.
    Limited { retry_after: u64 },
    /// 429 that does not.
    LimitedSilently,
    /// A 5xx, and nothing was done.
    Failed(Failure),
    /// A 5xx, though it was done.
    AnswerLost(Failure),
    /// The right answer, late.
    Slow(Duration),
}

/// A 5xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub status: u16,
    /// A page of some proxy instead of the provider's JSON.
    pub page: bool,
}

/// The mishap of the request of a number, where there is one.
pub(super) fn mishap(faults: Faults, chance: &Chance, number: u64, writes: bool) -> Option<Mishap> {
    let odds = faults.odds()?;
    let draw = |purpose: &str| chance.draw(purpose, number);
    let mut bar = 0;
    let dice = draw("request").below(1_000);
    let mut falls = |odds: u64| {
        bar += odds;
        dice < bar
    };
    if falls(odds.limited) {
        // Most are for the way that a wait is taken, few for the waiting.
        let waits = draw("retry after").happens(250);
        return Some(Mishap::Limited { retry_after: u64::from(waits) });
    }
    if falls(odds.limited_silently) {
        return Some(Mishap::LimitedSilently);
    }
    if falls(odds.failed) {
        let failure = failure(draw("failure"), draw("page"));
        let lost = writes && draw("answer lost").happens(500);
        return Some(if lost { Mishap::AnswerLost(failure) } else { Mishap::Failed(failure) });
    }
    falls(odds.slow).then(|| Mishap::Slow(upto(draw("slow by"), odds.slowest)))
}

impl Mishap {
    /// The name under which it is counted.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Limited { .. } => "limited",
            Self::LimitedSilently => "limited_silently",
            Self::Failed(_) => "failed",
            Self::AnswerLost(_) => "answer_lost",
            Self::Slow(_) => "slow",
        }
    }
}

fn failure(status: Draw, page: Draw) -> Failure {
    let status = match status.below(3) {
        0 => 500,
        1 => 502,
        _ => 503,
    };
    Failure { status, page: page.happens(333) }
}

fn upto(draw: Draw, milliseconds: u64) -> Duration {
    Duration::from_millis(10 + draw.below(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::{Fate, fate, mishap};
    use crate::Faults;
    use crate::chance::Chance;

    fn run(seed: u64, faults: Faults) -> Vec<String> {
        let chance = Chance::new(seed, "ins_1");
        let fates = (0..500).map(|number| format!("{:?}", fate(faults, &chance, number)));
        let mishaps = (0..500).map(|number| format!("{:?}", mishap(faults, &chance, number, true)));
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
            "Failed(",
            "AnswerLost(",
            "page: true",
            "Slow(",
        ] {
            assert!(text.contains(kind), "{kind}");
        }
        let chance = Chance::new(3, "ins_1");
        let quiet = |number| {
            fate(Faults::None, &chance, number) == Fate::default()
                && mishap(Faults::None, &chance, number, true).is_none()
        };
        assert!((0..500).all(quiet));
    }
}
