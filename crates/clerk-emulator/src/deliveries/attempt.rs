//! One attempt of a delivery: a signed request and its result. Called by the dispatcher.

use super::{Endpoint, Message};
use crate::now;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use std::time::Duration;

/// How long a receiver may take to answer, as at Svix.
const TIMEOUT: Duration = Duration::from_secs(15);

pub(super) enum AttemptResult {
    /// A 2xx.
    Acknowledged,
    /// Anything else, with the receiver's `Retry-After`.
    Failed(Option<Duration>),
    /// The endpoint was removed.
    NoAddress,
}

/// A client that follows no redirects and ignores proxies of the environment.
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
    client.redirect(reqwest::redirect::Policy::none()).build()
}

/// Posts a message. Each attempt has the same id and a signature of its own time.
pub(super) async fn attempt(
    client: &reqwest::Client,
    endpoint: &Endpoint,
    message: &Message,
) -> AttemptResult {
    let Some(address) = endpoint.address() else {
        return AttemptResult::NoAddress;
    };
    let timestamp = (now() / 1_000).to_string();
    let signature = endpoint.secret.signature(&message.id, &timestamp, &message.body);
    let request = client
        .post(address)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, "Svix-Webhooks/1.0 (usersync-emulator)")
        .header("svix-id", &message.id)
        .header("svix-timestamp", timestamp)
        .header("svix-signature", signature)
        .body(message.body.clone());
    endpoint.count(|counts| counts.sent += 1);
    match request.send().await {
        Err(_) => AttemptResult::Failed(None),
        Ok(response) if response.status().is_success() => AttemptResult::Acknowledged,
        Ok(response) => {
            let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = header.and_then(|text| text.trim().parse().ok());
            AttemptResult::Failed(seconds.map(Duration::from_secs))
        }
    }
}
