//! The gate before every attempt: who may send now, who waits, and who is told to come again.
//!
//! Passed by the client before each request, repeats included. It holds the pause that the
//! provider asked for, the circuit breaker and the calls about one user, which are this
//! replica's, and takes from the budget, which all replicas share (trap 37). It sends nothing.

use super::answer::{Cause, Miss};
use super::breaker::{Breaker, Transition};
use super::limits::{COME_AGAIN, Limits};
use super::pace::{Pause, Window};
use super::request::Request;
use crate::provider::{ApiError, Budget, Priority};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// A budget that says "at once" is asked again after this, and not in a circle.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// What all calls of this replica pass.
pub(super) struct Gate {
    budget: Arc<dyn Budget>,
    limits: Limits,
    pause: Mutex<Pause>,
    window: Mutex<Window>,
    breaker: Mutex<Breaker>,
}

/// The right to send once. The answer is to be reported; a turn that is dropped without one,
/// because its caller went away, lets another call try.
pub(super) struct Turn<'a> {
    gate: &'a Gate,
    is_trial: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            lock(&self.gate.breaker).abandoned();
        }
    }
}

impl Turn<'_> {
    /// Learns from what came of the attempt.
    pub(super) fn report(mut self, miss: Option<&Miss>) {
        let now = Instant::now();
        let transition = match miss.map(|miss| miss.cause) {
            // Neither a failure nor a proof of health: a trial goes to another call.
            Some(Cause::Foreign) => None,
            Some(Cause::Paused(pause)) => {
                lock(&self.gate.pause).lengthen(pause, now);
                None
            }
            Some(Cause::Unheard | Cause::Lost) => {
                let is_trial = std::mem::take(&mut self.is_trial);
                lock(&self.gate.breaker).failed(is_trial, now)
            }
            Some(Cause::Settled | Cause::Locked) | None => {
                self.is_trial = false;
                lock(&self.gate.breaker).answered()
            }
        };
        match transition {
            Some(Transition::Opened) => {
                tracing::warn!("the provider's API does not answer; calls pause");
            }
            Some(Transition::Closed) => tracing::info!("the provider's API answers again"),
            None => {}
        }
    }
}

impl Gate {
    pub(super) fn new(budget: Arc<dyn Budget>, limits: Limits) -> Self {
        let breaker = Mutex::new(Breaker::new(limits.hold));
        Self { budget, limits, pause: Mutex::default(), window: Mutex::default(), breaker }
    }

    /// Waits until `request` may be sent. Everything is looked at before the budget is taken,
    /// so that nothing is taken in vain, and again after it, since waiting for it takes time.
    pub(super) async fn turn(
        &self,
        request: &Request<'_>,
        priority: Priority,
    ) -> Result<Turn<'_>, ApiError> {
        let began = Instant::now();
        if let Some(user) = request.user {
            at_once(lock(&self.window).left(user, began))?;
        }
        drop(self.pass(priority, began).await?);
        if request.is_counted() {
            self.take(priority, began).await?;
        }
        let turn = self.pass(priority, began).await?;
        if let Some(user) = request.user {
            lock(&self.window).take(user, Instant::now()).or_else(at_once)?;
        }
        Ok(turn)
    }

    /// Takes one call from the budget. To ask it takes a database, which may be slow too.
    async fn take(&self, priority: Priority, began: Instant) -> Result<(), ApiError> {
        loop {
            let left = self.limits.max_wait(priority).saturating_sub(began.elapsed());
            match timeout(left, self.budget.take(priority)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(exhausted)) => {
                    let wait = exhausted.retry_after.max(SHORTEST_WAIT);
                    self.wait(wait, priority, began).await?;
                }
                Err(_) => return Err(ApiError::RateLimited { retry_after: COME_AGAIN }),
            }
        }
    }

    /// Waits for the end of the pause and of the breaker's hold.
    async fn pass(&self, priority: Priority, began: Instant) -> Result<Turn<'_>, ApiError> {
        loop {
            let left = lock(&self.pause).left(Instant::now());
            if !left.is_zero() {
                self.wait(left, priority, began).await?;
                continue;
            }
            let entered = lock(&self.breaker).enter(Instant::now());
            match entered {
                Ok(is_trial) => return Ok(Turn { gate: self, is_trial }),
                Err(hold) => self.hold(hold, priority, began).await?,
            }
        }
    }

    /// Waits, if that is not longer than the caller would.
    async fn wait(
        &self,
        wait: Duration,
        priority: Priority,
        began: Instant,
    ) -> Result<(), ApiError> {
        if began.elapsed().saturating_add(wait) > self.limits.max_wait(priority) {
            return Err(ApiError::RateLimited { retry_after: wait });
        }
        sleep(wait).await;
        Ok(())
    }

    /// Waits for the breaker. A person does not: the API is known not to answer.
    async fn hold(
        &self,
        hold: Duration,
        priority: Priority,
        began: Instant,
    ) -> Result<(), ApiError> {
        let too_long = began.elapsed().saturating_add(hold) > self.limits.breaker_wait;
        if priority == Priority::Interactive || too_long {
            return Err(ApiError::Unavailable {
                why: "it did not answer, and calls pause".to_owned(),
                retry_after: hold,
                outcome_unknown: false,
            });
        }
        sleep(hold).await;
        Ok(())
    }
}

fn at_once(left: Duration) -> Result<(), ApiError> {
    if left.is_zero() { Ok(()) } else { Err(ApiError::RateLimited { retry_after: left }) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
