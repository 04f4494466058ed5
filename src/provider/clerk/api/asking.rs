//! Asking until there is an answer, or no further attempt.
//!
//! Called by the client for every call. A read is repeated after any failure; what has an
//! effect only where it certainly had none, since the next step is else to look.

use super::ClerkApi;
use super::request::Request;
use super::response::{CallError, Retry};
use super::sending::{self, Reply};
use crate::provider::{ApiError, Call, Priority};
use std::time::{Duration, Instant};

impl ClerkApi {
    /// Sends until there is an answer, or no further attempt.
    pub(super) async fn ask(
        &self,
        request: &Request<'_>,
        priority: Priority,
    ) -> Result<Reply, ApiError> {
        let began = Instant::now();
        let mut attempts = 0;
        loop {
            let error = match self.attempt(request, priority, began).await? {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            self.log(request, &error);
            let delay = match error.retry {
                // The limiter waits.
                Retry::After(_) => Duration::ZERO,
                _ => self.limits.backoff.delay(attempts, random()),
            };
            attempts += 1;
            let due = began.elapsed().saturating_add(delay);
            let may_retry = self.limits.may_retry(priority, attempts, due);
            if !(may_retry && error.may_be_repeated(request.has_effect())) {
                return Err(final_error(error, request.has_effect()));
            }
            tokio::time::sleep(delay).await;
        }
    }

    /// Sends once, when it is the request's turn. The outer error is for want of a turn.
    async fn attempt(
        &self,
        request: &Request<'_>,
        priority: Priority,
        began: Instant,
    ) -> Result<Result<Reply, CallError>, ApiError> {
        let permit = self.limiter.acquire(request, priority).await?;
        let sent = Instant::now();
        let timeout = self.timeout(request, priority, began);
        let result = sending::send(&self.client, request, timeout).await;
        self.metrics.observe_api_request(sent.elapsed());
        permit.report(result.as_ref().err());
        Ok(result)
    }

    /// How long an attempt may take: a person's attempts share the time of one call.
    fn timeout(&self, request: &Request<'_>, priority: Priority, began: Instant) -> Duration {
        match (priority, request.call) {
            (Priority::Interactive, _) => self.limits.call.saturating_sub(began.elapsed()),
            (Priority::Background, Call::Users) => self.limits.page,
            (Priority::Background, _) => self.limits.call,
        }
    }

    fn log(&self, request: &Request<'_>, error: &CallError) {
        let (call, trace) = (request.call.as_str(), error.trace.as_deref().unwrap_or(""));
        let is_refusal =
            matches!(error.error, ApiError::Unauthorized(_) | ApiError::Rejected { .. });
        let suppressed = if is_refusal { self.refusals.pass(Instant::now()) } else { None };
        if let Some(suppressed) = suppressed {
            tracing::warn!(call, trace, suppressed, error = %error.error, "the provider refuses a call");
        } else {
            tracing::debug!(call, trace, error = %error.error, "a call of the provider brought nothing");
        }
    }
}

/// What the caller is told: whether to look before it asks again is known only here.
fn final_error(error: CallError, has_effect: bool) -> ApiError {
    match (error.error, error.retry) {
        (ApiError::Unavailable { why, retry_after, .. }, Retry::Ambiguous) => {
            ApiError::Unavailable { why, retry_after, outcome_unknown: has_effect }
        }
        (error, _) => error,
    }
}

/// Any number, each as likely: a UUID of version 4 begins with random bits.
fn random() -> u32 {
    let [a, b, c, d, ..] = *uuid::Uuid::new_v4().as_bytes();
    u32::from_be_bytes([a, b, c, d])
}
