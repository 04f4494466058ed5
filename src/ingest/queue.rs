//! The bounded queue between the requests and the writer.
//!
//! Bounded by count and by bytes, so that memory is; full means 503, never waiting. A std
//! mutex, because nothing is awaited while it is held, and the lock is held for a few
//! instructions.

use super::{DeliveryOutcome, Unavailable};
use crate::provider::Event;
use crate::webhook::Verified;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// How many deliveries may wait.
const MOST_DELIVERIES: usize = 8_192;

/// How many bytes of bodies may wait.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// A delivery, and whom to tell what became of it.
pub(super) struct Submission {
    pub(super) delivery: Verified,
    pub(super) event: Event,
    pub(super) reply: oneshot::Sender<Result<DeliveryOutcome, Unavailable>>,
}

impl Submission {
    /// Answers that it cannot be settled now. Nobody hears it where the sender went away.
    pub(super) fn reject(self, reason: Unavailable) {
        self.reply.send(Err(reason)).ok();
    }
}

/// What [`Queue::take`] found.
pub(super) enum NextBatch {
    /// Deliveries, in the order in which they came.
    Ready(Vec<Submission>),
    /// Nothing came within the time.
    TimedOut,
    /// Nothing is left, and nothing will come.
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
    /// Puts a delivery at the end.
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

    /// How many deliveries and bytes wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        (state.waiting.len(), state.bytes)
    }

    /// Takes up to `most` deliveries; waits for the first one, `patience` long at most.
    pub(super) fn take(&self, most: usize, patience: Duration) -> NextBatch {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let (mut state, _) = self
            .arrival
            .wait_timeout_while(self.lock(), patience, idle)
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

    /// Whether deliveries are accepted.
    pub(super) fn is_open(&self) -> bool {
        !self.lock().closed
    }

    /// Accepts no more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrival.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
