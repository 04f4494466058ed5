//! Sending a request once, and reading the answer up to a bound.
//!
//! Called by the client for each attempt. The only place that sends; it decides about no
//! repeat, and follows no redirect, so that the key goes to the configured host alone.

use super::ApiSettings;
use super::limits::{Limits, OTHER_BYTES};
use super::request::Request;
use super::response::{self, CallError, Retry};
use crate::domain::UnixMillis;
use crate::provider::http::{BodyError, client_for, innermost_cause, is_safe, read_body};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, InvalidHeaderValue};
use reqwest::{Client, Method};
use secrecy::ExposeSecret as _;
use std::time::Duration;

/// The version of the API that this client is written for. Without the header the provider's
/// behaviour is not documented.
const VERSION: &str = "2026-05-12";

/// A good answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) body: Vec<u8>,
    /// Just before the request was sent, by the wall clock.
    pub(super) sent_at: Option<UnixMillis>,
}

/// Why no client can be made of the settings.
#[derive(Debug, thiserror::Error)]
pub enum InvalidApi {
    /// The key would travel in the clear, or nowhere.
    #[error(
        "the API's address must be https, or http to this machine (127.0.0.1, ::1, localhost), without user name, query or fragment"
    )]
    Address,
    /// The key cannot stand in a header.
    #[error("the API key holds characters that no key has; copy it whole, without line breaks")]
    Key(#[source] InvalidHeaderValue),
    /// TLS cannot be set up.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

/// The HTTP client, with the headers that every request has.
pub(super) fn client(settings: &ApiSettings, limits: &Limits) -> Result<Client, InvalidApi> {
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

/// Sends once and reads the answer, all within `timeout`.
pub(super) async fn send(
    client: &Client,
    request: &Request<'_>,
    timeout: Duration,
) -> Result<Reply, CallError> {
    let method = if request.has_effect() { Method::PATCH } else { Method::GET };
    let mut builder = client.request(method, request.url.clone()).timeout(timeout);
    if let Some(body) = &request.body {
        builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
    }
    let sent_at = wall_clock();
    let mut response = builder.send().await.map_err(|error| failure(&error))?;
    let status = response.status();
    let most_bytes = if status.is_success() { request.most_bytes() } else { OTHER_BYTES };
    let (body, end) = read_body(&mut response, most_bytes).await;
    response::classify(status, response.headers(), &body, wall_clock())?;
    match end {
        Ok(()) => Ok(Reply { body, sent_at }),
        Err(BodyError::Broken(error)) => Err(failure(&error)),
        Err(error) => Err(CallError::protocol(error.to_string())),
    }
}

/// Nothing was sent where no connection came about; after that, anything may have happened.
fn failure(error: &reqwest::Error) -> CallError {
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

#[expect(clippy::disallowed_methods, reason = "an edge: a request is sent now")]
fn wall_clock() -> Option<UnixMillis> {
    UnixMillis::new(jiff::Timestamp::now().as_millisecond())
}
