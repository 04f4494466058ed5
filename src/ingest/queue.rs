//! The bounded queue between requests and the writer thread.
//!
//! Bounded by count and by bytes; a full queue means 503 at once. It has a std mutex, because the
//! lock is held for a few instructions and never across an await.

use super::{DeliveryOutcome, Unavailable};
use crate::provider::Event;
use crate::webhook::Verified;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const MOST_DELIVERIES: usize = 8_192;

/// While nothing can be written, how often the writer tries.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes of the bodies that wait.
const MOST_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Submission {
    pub(super) delivery: Verified,
    pub(super) event: Event,
    /// `None` once the sender is answered.
    pub(super) reply: Option<oneshot::Sender<Result<DeliveryOutcome, Unavailable>>>,
}

impl Submission {
    pub(super) fn reject(mut self, reason: Unavailable) {
        self.answer(Err(reason));
    }

    /// Answers the sender, unless it went away or is answered already.
    pub(super) fn answer(&mut self, answer: Result<DeliveryOutcome, Unavailable>) {
        if let Some(reply) = self.reply.take() {
            reply.send(answer).ok();
        }
    }
}

pub(super) enum NextBatch {
    /// In the order of arrival.
    Ready(Vec<Submission>),
    TimedOut,
    /// The queue is closed and empty.
    Closed,
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrival: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Submission>,
    bytes: usize,
    closed: bool,
    /// When the writer looks whether it can write again; `None` while it can.
    probe_at: Option<Instant>,
}

impl Queue {
    pub(super) fn push(&self, submission: Submission) -> Result<(), Unavailable> {
        let mut state = self.lock();
        let bytes = state.bytes + submission.delivery.body().len();
        if state.closed {
            return Err(Unavailable::NotRunning);
        }
        if state.waiting.len() >= MOST_DELIVERIES || bytes > MOST_BYTES {
            return Err(Unavailable::QueueFull);
        }
        state.bytes = bytes;
        state.waiting.push_back(submission);
        drop(state);
        self.arrival.notify_one();
        Ok(())
    }

    /// Deliveries, and bytes of their bodies.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        (state.waiting.len(), state.bytes)
    }

    /// Takes up to `most` deliveries; waits `timeout` for the first one.
    pub(super) fn take(&self, most: usize, timeout: Duration) -> NextBatch {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let (mut state, _) = self
            .arrival
            .wait_timeout_while(self.lock(), timeout, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let count = state.waiting.len().min(most);
        if count == 0 {
            return if state.closed { NextBatch::Closed } else { NextBatch::TimedOut };
        }
        let batch: Vec<Submission> = state.waiting.drain(..count).collect();
        let bytes: usize = batch.iter().map(|taken| taken.delivery.body().len()).sum();
        state.bytes = state.bytes.saturating_sub(bytes);
        NextBatch::Ready(batch)
    }

    /// Records whether the writer could write just now.
    pub(super) fn set_writable(&self, is_writable: bool) {
        self.lock().probe_at = (!is_writable).then(|| Instant::now() + PROBE_INTERVAL);
    }

    pub(super) fn probe_at(&self) -> Option<Instant> {
        self.lock().probe_at
    }

    pub(super) fn is_open(&self) -> bool {
        !self.lock().closed
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrival.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
