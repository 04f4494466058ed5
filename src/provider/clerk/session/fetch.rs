//! Fetches the provider's key set: one request, bounded in time and size.
//!
//! Called by `jwks` only, which decides when. Keeps nothing.

use super::JwksAddress;
use super::keys::{KeySet, NoUsableKeys};
use crate::provider::http::{BodyError, client_for, innermost_cause, read_body};
use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret as _;
use std::time::Duration;

/// How long a fetch may take altogether: whoever waits for it is a user.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Room for hundreds of keys; the provider lists one or two.
const LARGEST_SET_BYTES: usize = 256 * 1024;

/// Why no set came.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the request failed: {}", innermost_cause(.0))]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("this machine cannot make requests: {0}")]
    NoClient(String),
    #[error("the answer was status {0}")]
    Status(StatusCode),
    #[error(transparent)]
    NoUsableKeys(#[from] NoUsableKeys),
}

/// Where the set is, and what asks for it.
#[derive(Debug)]
pub(super) struct JwksFetcher {
    address: JwksAddress,
    client: Result<Client, String>,
}

impl JwksFetcher {
    pub(super) fn new(address: JwksAddress) -> Self {
        let client = client_for(&address.url)
            .timeout(TIMEOUT)
            // A fetch is rare, and a kept connection belongs to the thread that opened it.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| innermost_cause(&error));
        Self { address, client }
    }

    /// Where the set is fetched from.
    pub(super) fn host(&self) -> &str {
        self.address.url.host_str().unwrap_or_default()
    }

    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let client = self.client.as_ref().map_err(|fault| FetchError::NoClient(fault.clone()))?;
        let mut request = client.get(self.address.url.clone()).header("accept", "application/json");
        if let Some(key) = &self.address.secret_key {
            request = request.bearer_auth(key.expose_secret());
        }
        let mut answer = request.send().await?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let (body, end) = read_body(&mut answer, LARGEST_SET_BYTES).await;
        end?;
        Ok(KeySet::read(&body)?)
    }
}
