//! The writer thread: takes what is queued, settles it, and tidies up in between.

use super::Unavailable;
use super::commit::{Committer, SAME_OUTAGE};
use super::queue::{Queue, Taken};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many deliveries one transaction takes at most.
const MOST_IN_A_BATCH: usize = 256;

/// How often housekeeping comes round.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// How soon a log that could not be emptied is tried again: an open reader prevents it, and
/// readers of ours last milliseconds.
const CLEAN_LOG_AGAIN: Duration = Duration::from_millis(50);

pub(super) fn spawn(queue: Arc<Queue>, committer: Committer) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("usersync-writer".into()).spawn(move || run(&queue, committer))
}

/// Closes the queue when the thread ends, also by a panic: then nobody waits for a writer that
/// is gone, and the health check says so.
struct CloseAtEnd<'a>(&'a Queue);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.close();
        while let Taken::Batch(batch) = self.0.take(usize::MAX, Duration::ZERO) {
            for submission in batch {
                submission.refuse(Unavailable::NotRunning);
            }
        }
    }
}

fn run(queue: &Queue, mut committer: Committer) {
    let _close_at_end = CloseAtEnd(queue);
    let mut tidy_at = Instant::now() + HOUSEKEEPING;
    let mut clean_at = Instant::now();
    loop {
        let wake_at = if committer.writer.log_is_dirty() { tidy_at.min(clean_at) } else { tidy_at };
        match queue.take(MOST_IN_A_BATCH, wake_at.saturating_duration_since(Instant::now())) {
            Taken::Batch(batch) => {
                if !committer.settle(batch) {
                    turn_everyone_away(queue, &committer);
                }
            }
            Taken::Nothing => {}
            Taken::Closed => break,
        }
        if committer.writer.log_is_dirty() && clean_at <= Instant::now() {
            committer.writer.clean_log();
            clean_at = Instant::now() + CLEAN_LOG_AGAIN;
        }
        if tidy_at <= Instant::now() && !committer.tidy() {
            tidy_at = Instant::now() + HOUSEKEEPING;
        }
    }
    if committer.writer.log_is_dirty() {
        committer.writer.clean_log();
    }
}

/// While the database is away nobody waits in vain: whoever is queued is told at once.
fn turn_everyone_away(queue: &Queue, committer: &Committer) {
    while let Taken::Batch(batch) = queue.take(usize::MAX, Duration::ZERO) {
        committer.turn_away(batch, SAME_OUTAGE);
    }
}
