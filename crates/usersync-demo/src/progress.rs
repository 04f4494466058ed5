//! Progress of a demo: a bar for each phase, then a line when the phase is over.
//!
//! Called by the phases of a demo. Bars are drawn on standard error if it is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write as _;
use std::time::{Duration, Instant};

/// How often the spinner is redrawn.
const TICK: Duration = Duration::from_millis(100);

pub(crate) struct Phase {
    bar: ProgressBar,
    began: Instant,
    quiet: bool,
}

impl Phase {
    /// Draws and prints nothing if `quiet`.
    pub(crate) fn begin(quiet: bool, name: &'static str, steps: usize) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(count(steps)) };
        let style = ProgressStyle::with_template("{spinner} {msg:34} {wide_bar} {pos}/{len}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(name);
        bar.enable_steady_tick(TICK);
        Self { bar, began: Instant::now(), quiet }
    }

    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }

    pub(crate) fn at(&self, steps: u64) {
        self.bar.set_position(steps);
    }

    /// Sets how many steps are left, which may be more than the length so far.
    pub(crate) fn left(&self, steps: usize) {
        let steps = count(steps);
        let most = self.bar.length().unwrap_or(0).max(steps);
        self.bar.set_length(most);
        self.bar.set_position(most - steps);
    }

    /// Ends the phase and prints its summary.
    pub(crate) fn over(self, summary: &str) {
        self.bar.finish_and_clear();
        if !self.quiet {
            let seconds = self.began.elapsed().as_secs_f64();
            // A closed pipe must not make the demo fail.
            writeln!(std::io::stdout().lock(), "{seconds:5.1} s  {summary}").ok();
        }
    }
}

fn count(steps: usize) -> u64 {
    u64::try_from(steps).unwrap_or(u64::MAX)
}
