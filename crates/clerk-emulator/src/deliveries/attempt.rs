//! One attempt: a signed request, and how it was answered.

use super::{Endpoint, Message};
use crate::clock;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use std::time::Duration;

/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How an attempt ended.
pub(super) enum AttemptResult {
    /// With a 2xx.
    Acknowledged,
    /// Otherwise; the receiver may have said when to come again.
    Failed(Option<Duration>),
    /// There is nobody to tell any more.
    NoAddress,
}

/// A client that follows no redirects and heeds no proxy of the environment.
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
    client.redirect(reqwest::redirect::Policy::none()).build()
}

/// Posts a message, signed anew: the id stays, the timestamp does not.
pub(super) async fn attempt(
    client: &reqwest::Client,
    endpoint: &Endpoint,
    message: &Message,
) -> AttemptResult {
    let Some(address) = endpoint.address() else {
        return AttemptResult::NoAddress;
    };
    let timestamp = (clock::now() / 1_000).to_string();
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
        Ok(answer) if answer.status().is_success() => AttemptResult::Acknowledged,
        Ok(answer) => {
            let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = asked.and_then(|text| text.trim().parse().ok());
            AttemptResult::Failed(seconds.map(Duration::from_secs))
        }
    }
}
