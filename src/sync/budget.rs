//! The budget of requests to the provider, shared by all replicas.
//!
//! Taken from by the API client. The provider's limit is one for the whole instance, the
//! application's own calls included (trap 37). A replica leases slices from the database and spends
//! each within half a second. The last fifth of the budget is for interactive calls. What is called
//! about one user is counted there too, call by call.

use crate::provider::{ApiFuture, Budget, BudgetError, Priority};
use crate::store::{Store, StoreError};
use crate::telemetry::Throttle;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The part of the budget that only interactive calls may use: one in so many requests.
const RESERVED_ONE_IN: u32 = 5;

/// A slice is this part of the budget, within bounds: large enough that not every request asks the
/// database, small enough that replicas share, and that little is lost with an unspent one.
const SLICES: u32 = 50;
const LARGEST_SLICE: u32 = 20;

/// When to ask the database again that did not answer.
const ASK_AGAIN: Duration = Duration::from_secs(1);

pub struct SharedBudget {
    store: Store,
    source: &'static str,
    requests_per_window: u32,
    interactive: Mutex<RemainingBudget>,
    background: Mutex<RemainingBudget>,
    log_throttle: Throttle,
}

/// What is left of a leased slice.
struct RemainingBudget {
    requests: u32,
    /// The window holds no more than this slice did.
    last: bool,
    until: Instant,
}

impl SharedBudget {
    /// `requests_per_window` of ten seconds.
    pub fn new(store: Store, source: &'static str, requests_per_window: u32) -> Self {
        let nothing =
            || Mutex::new(RemainingBudget { requests: 0, last: false, until: Instant::now() });
        let (interactive, background) = (nothing(), nothing());
        let log_throttle = Throttle::default();
        Self { store, source, requests_per_window, interactive, background, log_throttle }
    }

    async fn take_one(&self, priority: Priority) -> Result<(), BudgetError> {
        let (held, most) = match priority {
            Priority::Interactive => (&self.interactive, self.requests_per_window),
            Priority::Background => {
                let reserved = self.requests_per_window / RESERVED_ONE_IN;
                (&self.background, self.requests_per_window - reserved)
            }
        };
        let mut held = held.lock().await;
        let is_over = held.until <= Instant::now();
        if is_over || (held.requests == 0 && !held.last) {
            *held = self.lease(most).await?;
        }
        let retry_after = held.until.saturating_duration_since(Instant::now());
        held.requests = held.requests.checked_sub(1).ok_or(BudgetError::UsedUp { retry_after })?;
        Ok(())
    }

    async fn take_one_about(&self, user: &str) -> Result<(), BudgetError> {
        let taken = self.store.take_user_call(self.source, user.to_owned()).await;
        match taken.map_err(|error| self.uncounted(&error))? {
            None => Ok(()),
            Some(retry_after) => Err(BudgetError::UsedUp { retry_after }),
        }
    }

    async fn lease(&self, most: u32) -> Result<RemainingBudget, BudgetError> {
        let wanted = (self.requests_per_window / SLICES).clamp(1, LARGEST_SLICE);
        // Counted from the question: by the database's clock the slice ends no later.
        let requested_at = Instant::now();
        let slice = self.store.lease_budget(self.source, wanted, most).await;
        let slice = slice.map_err(|error| self.uncounted(&error))?;
        Ok(RemainingBudget {
            requests: slice.requests,
            last: slice.requests < wanted,
            until: requested_at + slice.valid_for,
        })
    }

    /// What is not counted is not sent: the provider's limit is not ours alone.
    fn uncounted(&self, error: &StoreError) -> BudgetError {
        if let Some(suppressed) = self.log_throttle.pass(Instant::now()) {
            tracing::warn!(suppressed, "calls of the provider cannot be counted: {error}");
        }
        BudgetError::Uncounted { retry_after: ASK_AGAIN }
    }
}

impl Budget for SharedBudget {
    fn take(&self, priority: Priority) -> ApiFuture<'_, (), BudgetError> {
        Box::pin(self.take_one(priority))
    }

    fn take_about<'a>(&'a self, user: &'a str) -> ApiFuture<'a, (), BudgetError> {
        Box::pin(self.take_one_about(user))
    }
}

/// For a provider on this machine.
pub struct Unbounded;

impl Budget for Unbounded {
    fn take(&self, _: Priority) -> ApiFuture<'_, (), BudgetError> {
        Box::pin(async { Ok(()) })
    }

    fn take_about<'a>(&'a self, _: &'a str) -> ApiFuture<'a, (), BudgetError> {
        Box::pin(async { Ok(()) })
    }
}
