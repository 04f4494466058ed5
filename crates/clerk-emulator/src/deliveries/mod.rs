//! Deliveries: takes events in and posts each until it is acknowledged or abandoned.
//!
//! `instance` calls [`Outbox::post`] while it holds its lock, so that the order of events is the
//! order of changes; one [`dispatcher`] task posts them. Knows nothing of users.

mod dispatcher;
mod retries;

pub use retries::Retries;

use crate::counts::DeliveryCounts;
use crate::signing::SigningSecret;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// How many deliveries may wait or be in flight; further ones are abandoned.
const MOST_OUTSTANDING: usize = 100_000;

/// One delivery of an event.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The number of its event.
    pub number: u64,
    /// The same for every attempt.
    pub id: String,
    pub body: Bytes,
    /// So many later messages are posted first.
    pub behind: Option<u64>,
    pub delay: Option<Duration>,
    pub failures: usize,
}

pub(crate) struct Outbox {
    messages: mpsc::UnboundedSender<Message>,
    endpoint: Arc<Endpoint>,
    dispatcher: JoinHandle<()>,
}

/// What the outbox and its dispatcher share.
struct Endpoint {
    secret: SigningSecret,
    address: Mutex<Option<String>>,
    counts: Mutex<DeliveryCounts>,
    outstanding: watch::Sender<usize>,
}

impl Endpoint {
    fn count(&self, change: impl FnOnce(&mut DeliveryCounts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn address(&self) -> Option<String> {
        self.address.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One message fewer is outstanding.
    fn settle_one(&self) {
        self.outstanding.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Outbox {
    /// Starts the dispatcher on the current runtime.
    pub(crate) fn open(
        secret: SigningSecret,
        address: Option<String>,
        retries: Retries,
    ) -> Result<Self, reqwest::Error> {
        let endpoint = Arc::new(Endpoint {
            secret,
            address: Mutex::new(address),
            counts: Mutex::default(),
            outstanding: watch::Sender::new(0),
        });
        let (messages, incoming) = mpsc::unbounded_channel();
        let dispatcher = dispatcher::Dispatcher::new(Arc::clone(&endpoint), retries)?;
        let dispatcher = tokio::spawn(dispatcher.run(incoming));
        Ok(Self { messages, endpoint, dispatcher })
    }

    pub(crate) fn has_address(&self) -> bool {
        self.endpoint.address().is_some()
    }

    /// Changes where all messages go from now on, delayed ones too.
    pub(crate) fn set_address(&self, address: Option<String>) {
        *self.endpoint.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    pub(crate) fn count_event(&self) {
        self.endpoint.count(|counts| counts.events += 1);
    }

    pub(crate) fn post(&self, message: Message) {
        let full = *self.endpoint.outstanding.borrow() >= MOST_OUTSTANDING;
        self.endpoint.outstanding.send_modify(|count| *count += 1);
        if full || self.messages.send(message).is_err() {
            self.endpoint.count(|counts| counts.abandoned += 1);
            self.endpoint.settle_one();
        }
    }

    pub(crate) fn counts(&self) -> DeliveryCounts {
        *self.endpoint.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when no message is queued, held back, delayed or in flight.
    pub(crate) async fn wait_until_idle(&self) {
        let mut outstanding = self.endpoint.outstanding.subscribe();
        // Fails only without a sender, which lives as long as `self`.
        outstanding.wait_for(|count| *count == 0).await.ok();
    }

    /// Drops all messages that are not delivered yet.
    pub(crate) fn close(&self) {
        self.dispatcher.abort();
    }
}
