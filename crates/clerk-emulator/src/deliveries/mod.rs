//! The post office: takes events in, and sees to it that each is delivered or given up.
//!
//! `world` hands over what it wrote, while it still holds its lock, so that the order of
//! events is the order of changes; [`postman`] carries them. Nothing here knows users.

mod attempt;
mod postman;
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
pub(super) struct Parcel {
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
pub(super) struct PostOffice {
    parcels: mpsc::UnboundedSender<Parcel>,
    desk: Arc<Desk>,
    postman: JoinHandle<()>,
}

/// What the office and its postman share.
struct Desk {
    secret: SigningSecret,
    address: Mutex<Option<String>>,
    counts: Mutex<DeliveryCounts>,
    outstanding: watch::Sender<usize>,
}

impl Desk {
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

impl PostOffice {
    /// Opens the office on the current runtime.
    pub(super) fn open(
        secret: SigningSecret,
        address: Option<String>,
        retries: Retries,
    ) -> Result<Self, reqwest::Error> {
        let desk = Arc::new(Desk {
            secret,
            address: Mutex::new(address),
            counts: Mutex::default(),
            outstanding: watch::Sender::new(0),
        });
        let (parcels, incoming) = mpsc::unbounded_channel();
        let postman = postman::Postman::new(Arc::clone(&desk), retries)?;
        let postman = tokio::spawn(postman.work(incoming));
        Ok(Self { parcels, desk, postman })
    }

    /// Whether there is anybody to tell.
    pub(super) fn has_address(&self) -> bool {
        self.desk.address().is_some()
    }

    /// Changes where everything goes from now on, what was put off too.
    pub(super) fn set_address(&self, address: Option<String>) {
        *self.desk.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    /// Counts an event.
    pub(super) fn count_event(&self) {
        self.desk.count(|counts| counts.events += 1);
    }

    /// Takes a parcel in.
    pub(super) fn post(&self, parcel: Parcel) {
        let full = *self.desk.outstanding.borrow() >= MOST_OUTSTANDING;
        self.desk.outstanding.send_modify(|count| *count += 1);
        if full || self.parcels.send(parcel).is_err() {
            self.desk.count(|counts| counts.abandoned += 1);
            self.desk.done();
        }
    }

    /// What became of everything so far.
    pub(super) fn counts(&self) -> DeliveryCounts {
        *self.desk.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when nothing is queued, held back, put off or under way.
    pub(super) async fn settled(&self) {
        let mut outstanding = self.desk.outstanding.subscribe();
        // The sender lives as long as this office.
        outstanding.wait_for(|count| *count == 0).await.ok();
    }

    /// Drops what is not delivered yet.
    pub(super) fn close(&self) {
        self.postman.abort();
    }
}
