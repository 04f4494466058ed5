//! Fetches the provider's key set: one request, bounded in time and size.
//!
//! Called by `jwks` only, which decides when. Keeps nothing.

use super::JwksAddress;
use super::keys::{KeySet, NoUsableKeys};
use reqwest::{Client, Response, StatusCode, redirect};
use secrecy::ExposeSecret as _;
use std::error::Error;
use std::time::Duration;

/// How long a fetch may take altogether: whoever waits for it is a user.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Room for hundreds of keys; the provider lists one or two.
const LARGEST_SET_BYTES: usize = 256 * 1024;

/// Why no set came.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{}", causes(.0))]
    Http(#[from] reqwest::Error),
    #[error("this machine cannot make requests: {0}")]
    NoClient(String),
    #[error("the answer was status {0}")]
    Status(StatusCode),
    #[error("the answer was larger than {LARGEST_SET_BYTES} bytes")]
    TooLarge,
    #[error(transparent)]
    NoUsableKeys(#[from] NoUsableKeys),
}

/// An error and what lies beneath it: the outermost alone says only that sending failed.
fn causes(error: &reqwest::Error) -> String {
    // The outer error repeats the address, whose query may hold a secret.
    let mut text = "the request failed".to_owned();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Where the set is, and what asks for it.
#[derive(Debug)]
pub(super) struct JwksFetcher {
    address: JwksAddress,
    client: Result<Client, String>,
}

impl JwksFetcher {
    pub(super) fn new(address: JwksAddress) -> Self {
        // Plain HTTP is for this machine only: no proxy of the environment may hear the bearer.
        let is_plain = address.url.scheme() == "http";
        let client = if is_plain { Client::builder().no_proxy() } else { Client::builder() };
        let client = client
            .timeout(TIMEOUT)
            // A redirect could lead to anybody's keys, and take the bearer along.
            .redirect(redirect::Policy::none())
            // A fetch is rare, and a kept connection belongs to the thread that opened it.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| causes(&error));
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
        let answer = request.send().await?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        Ok(KeySet::read(&body(answer).await?)?)
    }
}

/// The body, as far as it is within the limit, whatever length was announced.
async fn body(mut answer: Response) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if bytes.len() + chunk.len() > LARGEST_SET_BYTES {
            return Err(FetchError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
