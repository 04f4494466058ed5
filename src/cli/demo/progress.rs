//! Where a demo stands: a bar a phase on a terminal, and a line a phase when it is over.
//!
//! Called by the phases of `demo`. Bars go to standard error and vanish; elsewhere than on a
//! terminal there are none.

use super::super::output;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// How often a bar moves that nobody moves.
const TICK: Duration = Duration::from_millis(100);

/// Shows phases, unless a machine reads.
#[derive(Clone, Copy)]
pub(super) struct Progress {
    pub(super) quiet: bool,
}

/// A phase under way.
pub(super) struct Phase {
    bar: ProgressBar,
    began: Instant,
    quiet: bool,
}

impl Progress {
    /// Begins a phase of so many steps.
    pub(super) fn phase(self, name: &'static str, steps: usize) -> Phase {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new(count(steps)) };
        let style = ProgressStyle::with_template("{spinner} {msg:34} {wide_bar} {pos}/{len}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(name);
        bar.enable_steady_tick(TICK);
        Phase { bar, began: Instant::now(), quiet: self.quiet }
    }
}

impl Phase {
    /// One step more is done.
    pub(super) fn step(&self) {
        self.bar.inc(1);
    }

    /// So many steps are done.
    pub(super) fn at(&self, steps: u64) {
        self.bar.set_position(steps);
    }

    /// So many steps are left; there may be more than ever before.
    pub(super) fn left(&self, steps: usize) {
        let steps = count(steps);
        let most = self.bar.length().unwrap_or(0).max(steps);
        self.bar.set_length(most);
        self.bar.set_position(most - steps);
    }

    /// Ends the phase, and says what it came to.
    pub(super) fn over(self, told: &str) {
        self.bar.finish_and_clear();
        if !self.quiet {
            let seconds = self.began.elapsed().as_secs_f64();
            output::line(&format!("{seconds:5.1} s  {told}"));
        }
    }
}

fn count(steps: usize) -> u64 {
    u64::try_from(steps).unwrap_or(u64::MAX)
}
