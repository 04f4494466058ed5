//! The writer thread: commits what is queued, and deletes expired rows once a minute in between.
//!
//! Started by `Ingest::start`. It owns the committer, so nothing else commits deliveries.

use super::Unavailable;
use super::commit::{Committer, SAME_OUTAGE};
use super::queue::{NextBatch, Queue};
use crate::domain::Backoff;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const MOST_IN_A_BATCH: usize = 256;

const RETENTION_INTERVAL: Duration = Duration::from_secs(60);

/// How soon a WAL that could not be truncated is tried again. An open reader prevents it: readers of
/// ours last milliseconds, one of a replicator (Litestream) for ever.
const TRUNCATE_BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(60) };

/// Longer than any reader of ours: the operator should know.
const WAL_DIRTY_TOO_LONG: Duration = Duration::from_secs(30);

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
    let source = committer.defaults.source;
    let _close_at_end = CloseAtEnd(queue);
    let mut retention_at = Instant::now() + RETENTION_INTERVAL;
    let mut truncation = Truncation::default();
    loop {
        let wake_at = [Some(retention_at), truncation.due_at(&committer), queue.probe_at()];
        let wake_at = wake_at.into_iter().flatten().min().unwrap_or(retention_at);
        match queue.take(MOST_IN_A_BATCH, wake_at.saturating_duration_since(Instant::now())) {
            NextBatch::Ready(batch) => {
                let works = committer.commit_batch(batch);
                queue.set_writable(works);
                if !works {
                    reject_queue(queue, &committer);
                }
            }
            NextBatch::TimedOut => {}
            NextBatch::Closed => break,
        }
        if queue.probe_at().is_some_and(|at| at <= Instant::now()) {
            queue.set_writable(committer.writer.check_writable(source).is_ok());
        }
        truncation.run(&mut committer);
        if retention_at <= Instant::now() && !committer.run_retention() {
            committer.retry_refused_deletions();
            if let Err(error) = committer.writer.end_pauses_ahead() {
                tracing::debug!("write-backs that wait for too long wait on: {error}");
            }
            retention_at = Instant::now() + RETENTION_INTERVAL;
        }
    }
    if committer.writer.wal_dirty_for().is_some() {
        committer.writer.truncate_wal();
    }
}

/// When the WAL is truncated next.
struct Truncation {
    due_at: Instant,
    failures: u32,
    warned: bool,
}

impl Default for Truncation {
    fn default() -> Self {
        Self { due_at: Instant::now(), failures: 0, warned: false }
    }
}

impl Truncation {
    fn due_at(&self, committer: &Committer) -> Option<Instant> {
        committer.writer.wal_dirty_for().map(|_| self.due_at)
    }

    fn run(&mut self, committer: &mut Committer) {
        if self.due_at(committer).is_none_or(|due_at| due_at > Instant::now()) {
            return;
        }
        committer.writer.truncate_wal();
        match committer.writer.wal_dirty_for() {
            None => {
                if self.warned {
                    tracing::info!("SQLite's write-ahead log is emptied");
                }
                *self = Self::default();
            }
            Some(age) => {
                self.due_at = Instant::now() + TRUNCATE_BACKOFF.bound(self.failures);
                self.failures = self.failures.saturating_add(1);
                if age >= WAL_DIRTY_TOO_LONG && !self.warned {
                    self.warned = true;
                    tracing::warn!(
                        "SQLite's write-ahead log cannot be emptied, because another process reads the file without an \
                         end, as Litestream does: deleted data stays in it, and in copies of it"
                    );
                }
            }
        }
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
        let now = self.writer.now();
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
