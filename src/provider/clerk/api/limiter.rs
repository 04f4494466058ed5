//! Decides before every attempt whether the call is made now, waits, or fails.
//!
//! Called by the client before each request, repeats included. It holds the pause that the provider
//! demanded, the circuit breaker and its own calls about one user, which are this replica's, and takes
//! from the budget, which all replicas share, as they do the calls about one user (trap 37). It sends
//! nothing.

use super::breaker::{Breaker, Transition};
use super::limits::{DEFAULT_RETRY_AFTER, Limits, ProviderPause, UserCallWindow};
use super::request::Request;
use super::response::{CallError, Retry};
use crate::provider::{ApiError, Budget, BudgetError, Priority};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// A budget that says "at once" is tried again after this, not in a busy loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

pub(super) struct CallLimiter {
    budget: Arc<dyn Budget>,
    limits: Limits,
    pause: Mutex<ProviderPause>,
    window: Mutex<UserCallWindow>,
    breaker: Mutex<Breaker>,
}

/// The right to send once. Its result is to be reported; a permit that is dropped without one,
/// because the client disconnected, lets another call be the breaker's trial.
pub(super) struct CallPermit<'a> {
    limiter: &'a CallLimiter,
    is_trial: bool,
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            lock(&self.limiter.breaker).abandon_trial();
        }
    }
}

impl CallPermit<'_> {
    pub(super) fn report(mut self, error: Option<&CallError>) {
        let now = Instant::now();
        if let Some(pause) = error.and_then(|error| error.pause) {
            lock(&self.limiter.pause).lengthen(pause, now);
        }
        let transition = match error.map(|error| error.retry) {
            // Neither a failure nor a proof of health: a trial goes to another call.
            Some(Retry::NotOurs | Retry::After) => None,
            Some(Retry::Safe | Retry::Ambiguous) => {
                let is_trial = std::mem::take(&mut self.is_trial);
                lock(&self.limiter.breaker).record_failure(is_trial, now)
            }
            Some(Retry::Never | Retry::Soon) | None => {
                self.is_trial = false;
                lock(&self.limiter.breaker).record_success()
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

impl CallLimiter {
    pub(super) fn new(budget: Arc<dyn Budget>, limits: Limits) -> Self {
        let breaker = Mutex::new(Breaker::new(limits.breaker));
        Self { budget, limits, pause: Mutex::default(), window: Mutex::default(), breaker }
    }

    /// Waits until `request` may be sent. All that this replica knows is checked before the budget is
    /// taken, so that hardly a call is taken in vain, and again after it, since waiting for the budget
    /// takes time.
    pub(super) async fn acquire(
        &self,
        request: &Request<'_>,
        priority: Priority,
    ) -> Result<CallPermit<'_>, ApiError> {
        let began = Instant::now();
        if let Some(user) = request.user {
            at_once(lock(&self.window).left(user, began))?;
        }
        self.pass(priority, began).await?;
        if request.is_counted() {
            self.take(priority, began).await?;
        }
        let permit = self.pass(priority, began).await?;
        if let Some(user) = request.user {
            self.take_about(user, priority, began).await?;
            lock(&self.window).take(user, Instant::now()).or_else(at_once)?;
        }
        Ok(permit)
    }

    /// Takes one call from the budget, whose database may be slow too.
    async fn take(&self, priority: Priority, began: Instant) -> Result<(), ApiError> {
        loop {
            let left = self.limits.max_wait(priority).saturating_sub(began.elapsed());
            match timeout(left, self.budget.take(priority)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(refusal)) => {
                    let wait = refusal.retry_after().max(SHORTEST_WAIT);
                    let waited = self.wait(wait, priority, began).await;
                    waited.map_err(|_| ApiError::from(refusal))?;
                }
                Err(_) => {
                    let retry_after = DEFAULT_RETRY_AFTER;
                    return Err(BudgetError::Uncounted { retry_after }.into());
                }
            }
        }
    }

    /// Counts the call about a user over all replicas: last of all, so that it is sent at once. What
    /// is refused does not wait here, since other users' calls need not.
    async fn take_about(
        &self,
        user: &str,
        priority: Priority,
        began: Instant,
    ) -> Result<(), ApiError> {
        let left = self.limits.max_wait(priority).saturating_sub(began.elapsed());
        let uncounted = BudgetError::Uncounted { retry_after: DEFAULT_RETRY_AFTER };
        let taken = timeout(left, self.budget.take_about(user)).await;
        let Err(refusal) = taken.unwrap_or(Err(uncounted)) else { return Ok(()) };
        if let BudgetError::UsedUp { retry_after } = refusal {
            lock(&self.window).refuse(user, retry_after, Instant::now());
        }
        Err(refusal.into())
    }

    /// Waits for the end of the pause, and until the breaker lets the call pass.
    async fn pass(&self, priority: Priority, began: Instant) -> Result<CallPermit<'_>, ApiError> {
        loop {
            let left = lock(&self.pause).left(Instant::now());
            if !left.is_zero() {
                self.wait(left, priority, began).await?;
                continue;
            }
            let entered = lock(&self.breaker).enter(Instant::now());
            let open_for = match entered {
                Ok(is_trial) => return Ok(CallPermit { limiter: self, is_trial }),
                Err(open_for) => open_for,
            };
            let too_long = began.elapsed().saturating_add(open_for) > self.limits.breaker_wait;
            // An interactive call does not wait: the API is known not to answer.
            if priority == Priority::Interactive || too_long {
                return Err(ApiError::Unavailable {
                    why: "it did not answer, and calls pause".to_owned(),
                    retry_after: open_for,
                    outcome_unknown: false,
                });
            }
            sleep(open_for).await;
        }
    }

    /// Waits, unless that takes longer than the priority allows.
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
}

fn at_once(left: Duration) -> Result<(), ApiError> {
    if left.is_zero() { Ok(()) } else { Err(ApiError::RateLimited { retry_after: left }) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
