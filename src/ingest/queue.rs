//! The bounded queue between requests and the writer thread.
//!
//! Bounded by count and by bytes; a full queue means 503 at once. It has a std mutex, because the
//! lock is held for a few instructions and never across an await.

use super::{DeliveryOutcome, Unavailable};
use crate::provider::Event;
use crate::webhook::Verified;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

const MOST_DELIVERIES: usize = 8_192;

/// Bytes of the bodies that wait.
const MOST_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Submission {
    pub(super) delivery: Verified,
    pub(super) event: Event,
    pub(super) reply: oneshot::Sender<Result<DeliveryOutcome, Unavailable>>,
}

impl Submission {
    /// An error here means that the sender went away.
    pub(super) fn reject(self, reason: Unavailable) {
        self.reply.send(Err(reason)).ok();
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
