//! The progress bar of a running job, drawn on a terminal only; elsewhere the log shows progress.
//! Called by the commands of jobs.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;
use usersync::store::Store;
use usersync::sync::jobs::JobView;

/// Templates of a bar with a known end, and without.
const BAR: &str = "{spinner} {prefix} {wide_bar} {human_pos}/{human_len} {msg}";
const SPINNER: &str = "{spinner} {prefix} {human_pos} {msg}";

pub(super) struct JobProgressBar {
    bar: ProgressBar,
}

impl JobProgressBar {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::no_length();
        bar.set_draw_target(if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        });
        Self { bar }
    }

    /// Polls and shows the job; never returns.
    pub(super) async fn follow(&self, store: &Store, id: &str) {
        loop {
            tokio::time::sleep(super::POLL_INTERVAL).await;
            if let Ok(Some(job)) = store.find_job(id.to_owned()).await {
                self.show(&JobView::of(&job, store.now()));
            }
        }
    }

    pub(super) fn show(&self, job: &JobView) {
        let expected = job.expected.and_then(|expected| u64::try_from(expected).ok());
        let template = if expected.is_some() { BAR } else { SPINNER };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        if let Some(expected) = expected {
            self.bar.set_length(expected.max(job.counters.seen));
        }
        self.bar.set_prefix(job.kind);
        self.bar.set_message(message(job));
        self.bar.set_position(job.counters.seen);
    }

    pub(super) fn print(&self, text: &str) {
        if self.bar.is_hidden() {
            tracing::info!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Rate and remaining time of the scan; after it, the phase.
fn message(job: &JobView) -> String {
    let phase = job.cursor.as_deref().unwrap_or("scan");
    if !phase.starts_with("scan") {
        return format!("{} extra rows, looking again", job.counters.extra);
    }
    let rate = job.rate_per_second.map_or_else(String::new, |rate| format!("{rate:.0}/s"));
    let left = job.seconds_left.map_or_else(String::new, |seconds| {
        format!(", {} left", format_duration(Duration::from_secs(seconds)))
    });
    format!("{rate}{left}")
}

pub(super) fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
