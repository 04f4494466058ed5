//! Calls of the API: attempts until there is an answer, or no further attempt.
//!
//! Called by [`ClerkApi`] for every call, and the only place that sends one. A read is repeated
//! after any failure; a write only where it certainly had no effect, since the caller has to read
//! again otherwise. No redirect is followed, so that the key goes to the configured host alone.

use super::limits::{Limits, OTHER_BYTES};
use super::request::Request;
use super::response::{self, CallError, Retry};
use super::{ApiSettings, ClerkApi};
use crate::domain::Timestamp;
use crate::provider::http::{BodyError, client_for, innermost_cause, is_safe, read_body};
use crate::provider::{ApiError, Call, Priority};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, InvalidHeaderValue};
use reqwest::{Client, Method};
use secrecy::ExposeSecret as _;
use std::time::{Duration, Instant};

/// The version of the API that this client is written for. Without the header the provider's
/// behaviour is not documented.
const VERSION: &str = "2026-05-12";

#[derive(Debug, thiserror::Error)]
pub enum InvalidApi {
    #[error(
        "the API's address must be https, or http to this machine (127.0.0.1, ::1, localhost), without user name, query or fragment"
    )]
    Address,
    #[error("the API key holds characters that no key has; copy it whole, without line breaks")]
    Key(#[source] InvalidHeaderValue),
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

pub(super) fn build(settings: &ApiSettings, limits: &Limits) -> Result<Client, InvalidApi> {
    let url = &settings.url;
    if url.query().is_some() || url.fragment().is_some() || !is_safe(url) {
        return Err(InvalidApi::Address);
    }
    let bearer = format!("Bearer {}", settings.secret_key.expose_secret());
    let mut bearer = HeaderValue::try_from(bearer).map_err(InvalidApi::Key)?;
    bearer.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer);
    headers.insert("clerk-api-version", HeaderValue::from_static(VERSION));
    client_for(url)
        .default_headers(headers)
        .user_agent(concat!("usersync/", env!("CARGO_PKG_VERSION")))
        .referer(false)
        // Repeats are ours, because each takes from the budget.
        .retry(reqwest::retry::never())
        .connect_timeout(limits.connect)
        .build()
        .map_err(InvalidApi::Client)
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) body: Vec<u8>,
    /// Just before the request was sent.
    pub(super) sent_at: Timestamp,
}

impl ClerkApi {
    pub(super) async fn call(
        &self,
        request: &Request<'_>,
        priority: Priority,
    ) -> Result<Reply, ApiError> {
        let began = Instant::now();
        let mut attempts = 0;
        loop {
            let permit = self.limiter.acquire(request, priority).await?;
            let sent = Instant::now();
            let timeout = self.timeout(request, priority, began);
            let result = self.send(request, timeout).await;
            self.metrics.observe_api_request(sent.elapsed());
            permit.report(result.as_ref().err());
            let error = match result {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            self.log(request, &error);
            let delay = match error.retry {
                // The limiter waits.
                Retry::After => Duration::ZERO,
                _ => self.limits.backoff.delay(attempts, fastrand::u32(..)),
            };
            attempts += 1;
            let due = began.elapsed().saturating_add(delay);
            let has_attempt = self.limits.has_attempt(priority, attempts, due);
            if !(has_attempt && error.may_be_repeated(request.has_effect())) {
                return Err(final_error(error, request.has_effect()));
            }
            tokio::time::sleep(delay).await;
        }
    }

    /// Sends once and reads the answer, all within `timeout`.
    async fn send(&self, request: &Request<'_>, timeout: Duration) -> Result<Reply, CallError> {
        let method = if request.has_effect() { Method::PATCH } else { Method::GET };
        let mut builder = self.client.request(method, request.url.clone()).timeout(timeout);
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let sent_at = (self.clock)();
        let mut response = builder.send().await.map_err(|error| transport_error(&error))?;
        let status = response.status();
        let limit = if status.is_success() { request.most_bytes() } else { OTHER_BYTES };
        let (body, end) = read_body(&mut response, limit).await;
        response::classify(status, response.headers(), &body, (self.clock)())?;
        match end {
            Ok(()) => Ok(Reply { body, sent_at }),
            Err(BodyError::Broken(error)) => Err(transport_error(&error)),
            Err(error) => Err(CallError::protocol(error.to_string())),
        }
    }

    /// Time for one attempt. All attempts of an interactive call share the time of one.
    fn timeout(&self, request: &Request<'_>, priority: Priority, began: Instant) -> Duration {
        match (priority, request.call) {
            (Priority::Interactive, _) => self.limits.call.saturating_sub(began.elapsed()),
            (Priority::Background, Call::Users) => self.limits.page,
            (Priority::Background, _) => self.limits.call,
        }
    }

    fn log(&self, request: &Request<'_>, failure: &CallError) {
        let (call, trace) = (request.call.as_str(), failure.trace.as_deref().unwrap_or(""));
        let error = &failure.error;
        let is_refusal = matches!(error, ApiError::Unauthorized(_) | ApiError::Rejected { .. });
        let suppressed = if is_refusal { self.refusals.pass(Instant::now()) } else { None };
        if let Some(suppressed) = suppressed {
            tracing::warn!(call, trace, suppressed, %error, "the provider refuses a call");
        } else {
            tracing::debug!(call, trace, %error, "a call of the provider failed");
        }
    }
}

/// The error for the caller. Whether the call may have had its effect is known only here.
fn final_error(failure: CallError, has_effect: bool) -> ApiError {
    match (failure.error, failure.retry) {
        (ApiError::Unavailable { why, retry_after, .. }, Retry::Ambiguous) => {
            ApiError::Unavailable { why, retry_after, outcome_unknown: has_effect }
        }
        (error, _) => error,
    }
}

/// Nothing was sent where no connection was made; after that, anything may have happened.
fn transport_error(error: &reqwest::Error) -> CallError {
    if error.is_connect() {
        CallError::unavailable(format!("no connection ({})", innermost_cause(error)), Retry::Safe)
    } else if error.is_builder() {
        CallError::foreign("the request cannot be made")
    } else if error.is_timeout() {
        CallError::unavailable("no answer in time".to_owned(), Retry::Ambiguous)
    } else {
        CallError::unavailable("the connection broke".to_owned(), Retry::Ambiguous)
    }
}
