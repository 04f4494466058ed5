//! When a worker goes on whose provider, or database, does not answer, and how much it does at once.

use super::AT_ONCE;
use super::push::PushOutcome;
use crate::telemetry::Throttle;
use std::time::{Duration, Instant};

/// The pauses of a worker whose provider does not answer.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// When the worker goes on, after the provider or the database did not answer.
#[derive(Default)]
pub(super) struct WorkerPace {
    length: Duration,
    until: Option<Instant>,
    log_throttle: Throttle,
    /// By so many fewer write-backs are under way than could be.
    fewer: usize,
}

impl WorkerPace {
    pub(super) fn left(&self) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    pub(super) fn are_over(&self) -> bool {
        self.left().is_zero()
    }

    /// How many write-backs may be under way.
    pub(super) fn at_once(&self) -> usize {
        AT_ONCE - self.fewer
    }

    /// Learns from how a lease ended. Those that are not done in time stand in each other's way,
    /// as where the budget is small.
    pub(super) fn record(&mut self, outcome: Option<&PushOutcome>) {
        match outcome {
            Some(PushOutcome::NotNow(error)) => self.lengthen(error),
            Some(PushOutcome::Finished("done" | "conflict")) => {
                self.length = Duration::ZERO;
                self.fewer = self.fewer.saturating_sub(1);
            }
            Some(PushOutcome::Finished("slow")) => {
                self.fewer = AT_ONCE - self.at_once().div_ceil(2);
            }
            _ => {}
        }
    }

    /// Everybody who is under way fails alike: that is one failure.
    pub(super) fn lengthen(&mut self, why: &dyn std::fmt::Display) {
        if !self.are_over() {
            return;
        }
        self.length = (self.length * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.until = Some(Instant::now() + self.length);
        if let Some(suppressed) = self.log_throttle.pass(Instant::now()) {
            tracing::error!(suppressed, "write-backs wait: {why}");
        }
    }
}
