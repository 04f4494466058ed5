//! The writer thread: commits what is queued, and deletes expired rows once a minute in between.
//!
//! Started by `Ingest::start`. It owns the committer, so nothing else commits deliveries.

use super::Unavailable;
use super::commit::{Committer, SAME_OUTAGE, now};
use super::queue::{NextBatch, Queue};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const MOST_IN_A_BATCH: usize = 256;

const RETENTION_INTERVAL: Duration = Duration::from_secs(60);

/// How soon a WAL that could not be truncated is tried again: an open reader prevents it, and
/// readers of ours last milliseconds.
const TRUNCATE_RETRY: Duration = Duration::from_millis(50);

const QUARANTINE_DAYS: u32 = 30;

const ABSENCE_DAYS: u32 = 30;

/// Of message ids and jobs: longer than a sender retries (28 h), and than its dashboard keeps
/// messages for a manual replay.
const EVENT_DAYS: u32 = 90;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn spawn(queue: Arc<Queue>, committer: Committer) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("usersync-writer".into()).spawn(move || run(&queue, committer))
}

/// Closes the queue when the thread ends, also by a panic, so that no request waits for a dead
/// writer and the health check fails.
struct CloseAtEnd<'a>(&'a Queue);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.close();
        while let NextBatch::Ready(batch) = self.0.take(usize::MAX, Duration::ZERO) {
            for submission in batch {
                submission.reject(Unavailable::NotRunning);
            }
        }
    }
}

fn run(queue: &Queue, mut committer: Committer) {
    let _close_at_end = CloseAtEnd(queue);
    let mut retention_at = Instant::now() + RETENTION_INTERVAL;
    let mut truncate_at = Instant::now();
    loop {
        let wake_at = if committer.writer.wal_is_dirty() {
            retention_at.min(truncate_at)
        } else {
            retention_at
        };
        match queue.take(MOST_IN_A_BATCH, wake_at.saturating_duration_since(Instant::now())) {
            NextBatch::Ready(batch) => {
                if !committer.commit_batch(batch) {
                    reject_queue(queue, &committer);
                }
            }
            NextBatch::TimedOut => {}
            NextBatch::Closed => break,
        }
        if committer.writer.wal_is_dirty() && truncate_at <= Instant::now() {
            committer.writer.truncate_wal();
            truncate_at = Instant::now() + TRUNCATE_RETRY;
        }
        if retention_at <= Instant::now() && !committer.run_retention() {
            retention_at = Instant::now() + RETENTION_INTERVAL;
        }
    }
    if committer.writer.wal_is_dirty() {
        committer.writer.truncate_wal();
    }
}

/// Answers all that is queued at once, rather than let each wait for the same outage.
fn reject_queue(queue: &Queue, committer: &Committer) {
    while let NextBatch::Ready(batch) = queue.take(usize::MAX, Duration::ZERO) {
        committer.reject_all(batch, SAME_OUTAGE);
    }
}

impl Committer {
    /// Returns whether there may be more to delete.
    pub(super) fn run_retention(&mut self) -> bool {
        let now = now();
        let oldest = |days| now.minus(DAY * days);
        match self.writer.run_retention(
            oldest(QUARANTINE_DAYS),
            oldest(ABSENCE_DAYS),
            oldest(EVENT_DAYS),
        ) {
            Ok(0) => false,
            Ok(dropped) => {
                self.writer.mark_wal_dirty();
                tracing::info!(dropped, "deleted expired rows");
                true
            }
            Err(error) => {
                tracing::warn!("retention failed and is tried again in a minute: {error}");
                false
            }
        }
    }
}
