//! The post outbox: takes events in, and sees to it that each is delivered or given up.
//!
//! `instance` hands over what it wrote, while it still holds its lock, so that the order of
//! events is the order of changes; [`dispatcher`] carries them. Nothing here knows users.

mod attempt;
mod dispatcher;
mod retries;

pub use retries::Retries;

use super::counts::DeliveryCounts;
use super::signing::SigningSecret;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// How many deliveries may be under way or put off. Beyond it new ones are given up: who is
/// away that long has to reconcile anyway.
const MOST_OUTSTANDING: usize = 100_000;

/// One delivery of an event: a message, and how far it got.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// The number of its event.
    pub number: u64,
    /// The message's id, the same for every attempt.
    pub id: String,
    /// The bytes that are signed and posted.
    pub body: Bytes,
    /// So many later ones go first.
    pub behind: Option<u64>,
    /// It sets out late.
    pub delay: Option<Duration>,
    /// How often it failed.
    pub failures: usize,
}

/// Where events are posted.
pub(super) struct Outbox {
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

    fn done(&self) {
        self.outstanding.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Outbox {
    /// Opens the outbox on the current runtime.
    pub(super) fn open(
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

    /// Whether there is anybody to tell.
    pub(super) fn has_address(&self) -> bool {
        self.endpoint.address().is_some()
    }

    /// Changes where everything goes from now on, what was put off too.
    pub(super) fn set_address(&self, address: Option<String>) {
        *self.endpoint.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    /// Counts an event.
    pub(super) fn count_event(&self) {
        self.endpoint.count(|counts| counts.events += 1);
    }

    /// Takes a message in.
    pub(super) fn post(&self, message: Message) {
        let full = *self.endpoint.outstanding.borrow() >= MOST_OUTSTANDING;
        self.endpoint.outstanding.send_modify(|count| *count += 1);
        if full || self.messages.send(message).is_err() {
            self.endpoint.count(|counts| counts.abandoned += 1);
            self.endpoint.done();
        }
    }

    /// What became of everything so far.
    pub(super) fn counts(&self) -> DeliveryCounts {
        *self.endpoint.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when nothing is queued, held back, put off or under way.
    pub(super) async fn wait_until_idle(&self) {
        let mut outstanding = self.endpoint.outstanding.subscribe();
        // The sender lives as long as this outbox.
        outstanding.wait_for(|count| *count == 0).await.ok();
    }

    /// Drops what is not delivered yet.
    pub(super) fn close(&self) {
        self.dispatcher.abort();
    }
}
