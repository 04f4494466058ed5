//! The circuit breaker: after failures in a row calls pause, then one call is the trial.
//!
//! Called by [`super::limiter`] before and after each attempt. Pure: the time is an argument, and
//! the transition that is to be logged is returned.

use crate::domain::Backoff;
use std::time::{Duration, Instant};

const FAILURES: u32 = 5;
/// How long a call waits before it looks again, while another is the trial.
const TRIAL_LOOK: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transition {
    Opened,
    Closed,
}

#[derive(Debug)]
enum State {
    Closed {
        failures: u32,
    },
    /// No call passes before `until`; then one does, and decides.
    Open {
        until: Instant,
        failed_trials: u32,
        is_trying: bool,
    },
}

#[derive(Debug)]
pub(super) struct Breaker {
    backoff: Backoff,
    state: State,
}

impl Breaker {
    pub(super) const fn new(backoff: Backoff) -> Self {
        Self { backoff, state: State::Closed { failures: 0 } }
    }

    /// Lets a call pass, and says whether it is the trial; or returns the time to wait. A trial must
    /// end in [`Self::record_success`], [`Self::record_failure`] or [`Self::abandon_trial`].
    pub(super) fn enter(&mut self, now: Instant) -> Result<bool, Duration> {
        match &mut self.state {
            State::Closed { .. } => Ok(false),
            State::Open { until, .. } if now < *until => Err(until.duration_since(now)),
            State::Open { is_trying: true, .. } => Err(TRIAL_LOOK),
            State::Open { is_trying, .. } => {
                *is_trying = true;
                Ok(true)
            }
        }
    }

    /// Any answer proves that the API is alive, the trial's or another call's.
    pub(super) fn record_success(&mut self) -> Option<Transition> {
        let was_open = matches!(self.state, State::Open { .. });
        self.state = State::Closed { failures: 0 };
        was_open.then_some(Transition::Closed)
    }

    /// While it is open only the trial counts: calls that were under way before prove nothing new.
    pub(super) fn record_failure(&mut self, trial: bool, now: Instant) -> Option<Transition> {
        match &mut self.state {
            State::Closed { failures } if *failures + 1 < FAILURES => {
                *failures += 1;
                None
            }
            State::Closed { .. } => {
                self.open(0, now);
                Some(Transition::Opened)
            }
            State::Open { failed_trials, .. } if trial => {
                let failed_trials = failed_trials.saturating_add(1);
                self.open(failed_trials, now);
                None
            }
            State::Open { .. } => None,
        }
    }

    /// The trial proved nothing: another call may be the trial.
    pub(super) fn abandon_trial(&mut self) {
        if let State::Open { is_trying, .. } = &mut self.state {
            *is_trying = false;
        }
    }

    fn open(&mut self, failed_trials: u32, now: Instant) {
        let until = now + self.backoff.bound(failed_trials);
        self.state = State::Open { until, failed_trials, is_trying: false };
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, Breaker, FAILURES, TRIAL_LOOK, Transition};
    use std::time::{Duration, Instant};

    const SECOND: Duration = Duration::from_secs(1);

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(Backoff { first: SECOND, longest: 30 * SECOND });
        for _ in 1..FAILURES {
            assert_eq!(breaker.record_failure(false, now), None);
            assert_eq!(breaker.enter(now), Ok(false));
        }
        assert_eq!(breaker.record_failure(false, now), Some(Transition::Opened));
        breaker
    }

    #[test]
    fn an_answer_in_between_begins_the_count_anew() {
        let now = Instant::now();
        let mut breaker = Breaker::new(Backoff { first: SECOND, longest: SECOND });
        for _ in 0..2 * FAILURES {
            assert_eq!(breaker.record_failure(false, now), None);
            assert_eq!(breaker.record_success(), None);
        }
    }

    #[test]
    fn five_failures_open_it_and_one_trial_decides() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.enter(now), Err(SECOND));
        assert_eq!(breaker.enter(now + SECOND), Ok(true));
        assert_eq!(breaker.enter(now + SECOND), Err(TRIAL_LOOK));
        assert_eq!(breaker.record_success(), Some(Transition::Closed));
        assert_eq!(breaker.enter(now + SECOND), Ok(false));
    }

    #[test]
    fn trials_that_fail_double_the_pause_up_to_the_longest_and_are_not_announced() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let open_for = seconds * SECOND;
            assert_eq!(breaker.enter(now), Err(open_for));
            now += open_for;
            assert_eq!(breaker.enter(now), Ok(true));
            assert_eq!(breaker.record_failure(true, now), None);
        }
    }

    #[test]
    fn an_abandoned_trial_lets_another_try() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.enter(now + SECOND), Ok(true));
        breaker.abandon_trial();
        assert_eq!(breaker.enter(now + SECOND), Ok(true));
    }

    #[test]
    fn late_failures_of_earlier_calls_do_not_lengthen_the_pause() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.record_failure(false, now), None);
        assert_eq!(breaker.enter(now), Err(SECOND));
    }
}
