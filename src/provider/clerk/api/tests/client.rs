//! A client for the tests of this folder: its pauses last milliseconds, and its budget counts the
//! requests and can refuse them.

use crate::domain::{Backoff, Timestamp};
use crate::provider::clerk::api::limits::Limits;
use crate::provider::clerk::api::{ApiSettings, ClerkApi};
use crate::provider::clerk::tests::clerk;
use crate::provider::{API_OK, ApiFuture, Budget, BudgetError, Call, FetchClock, Priority};
use crate::telemetry::{LabelWords, Metrics};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Counts the calls that are taken, and refuses with the queued times first.
#[derive(Default)]
pub(super) struct CountingBudget {
    taken: Mutex<usize>,
    pub(super) refusals: Mutex<VecDeque<Duration>>,
    /// A user about whom other replicas made all calls that may be made.
    pub(super) refused_user: Mutex<Option<&'static str>>,
}

impl CountingBudget {
    pub(super) fn count(&self) -> usize {
        *self.taken.lock().unwrap()
    }
}

impl Budget for CountingBudget {
    fn take(&self, _: Priority) -> ApiFuture<'_, (), BudgetError> {
        Box::pin(async {
            if let Some(retry_after) = self.refusals.lock().unwrap().pop_front() {
                return Err(BudgetError::UsedUp { retry_after });
            }
            *self.taken.lock().unwrap() += 1;
            Ok(())
        })
    }

    fn take_about<'a>(&'a self, user: &'a str) -> ApiFuture<'a, (), BudgetError> {
        let refused = *self.refused_user.lock().unwrap() == Some(user);
        let retry_after = Duration::from_secs(7);
        Box::pin(
            async move { if refused { Err(BudgetError::UsedUp { retry_after }) } else { Ok(()) } },
        )
    }
}

pub(super) struct Client {
    pub(super) api: ClerkApi,
    pub(super) budget: Arc<CountingBudget>,
    pub(super) metrics: Arc<Metrics>,
}

pub(super) fn settings(url: &str) -> ApiSettings {
    let secret_key = "sk_test_secret".to_owned().into();
    ApiSettings { url: url.parse().unwrap(), secret_key, clerk: clerk(&[]) }
}

pub(super) fn limits() -> Limits {
    let millis = Duration::from_millis;
    Limits {
        connect: millis(1000),
        call: millis(2000),
        backoff: Backoff { first: millis(1), longest: millis(5) },
        breaker: Backoff { first: millis(50), longest: millis(100) },
        ..Limits::default()
    }
}

pub(super) fn client_with(url: &str, limits: Limits) -> Client {
    let budget = Arc::new(CountingBudget::default());
    let metrics = Arc::new(Metrics::new(LabelWords {
        api_calls: Call::WORDS.to_vec(),
        api_outcomes: vec![API_OK],
        ..LabelWords::default()
    }));
    let shared: Arc<dyn Budget> = Arc::<CountingBudget>::clone(&budget);
    let api = ClerkApi::with_limits(settings(url), shared, Arc::clone(&metrics), clock(), limits);
    Client { api: api.unwrap(), budget, metrics }
}

/// Stands still, but that is all that a client without a table needs.
pub(super) fn clock() -> FetchClock {
    Arc::new(|| Timestamp::from_millis(1_790_000_000_000).unwrap())
}

pub(super) fn client(url: &str) -> Client {
    client_with(url, limits())
}
