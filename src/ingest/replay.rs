//! A replay: a quarantined delivery is tried anew.
//!
//! Called by `usersync replay`. It was verified when it came; it goes the way of every other
//! delivery from there on, with the envelope that it came in.

use super::{DeliveryOutcome, Ingest, Unavailable};
use crate::provider::Provider;
use crate::store::{Store, StoreError};
use crate::webhook::Verified;

/// Why a replay did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No such message is quarantined.
    #[error("no message {0} is quarantined; `usersync replay --list` shows which are")]
    NotQuarantined(String),
    /// The database failed to give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be settled now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Tries a quarantined message anew and says what became of it; where it is settled now,
/// its body is dropped.
pub async fn replay(
    ingest: &Ingest,
    store: &Store,
    provider: &Provider,
    message_id: &str,
) -> Result<DeliveryOutcome, ReplayError> {
    let body = store.quarantined_body(Provider::SOURCE, message_id.to_owned()).await?;
    let Some(body) = body else {
        return Err(ReplayError::NotQuarantined(message_id.to_owned()));
    };
    let delivery = Verified::from_quarantine(message_id.to_owned(), body.into());
    let event = provider.parse(&delivery);
    Ok(ingest.submit(delivery, event).await?)
}
