//! The hall: many requests, one transaction.
//!
//! Called by the front door and by a replay. A verified, parsed delivery is put into a
//! bounded [`queue`] and waited for; one writer thread takes all that is queued, [`merge`]s it,
//! and commits it through the store ([`commit`]), with no timer: while one batch is being
//! committed the next one gathers. Nothing is answered before it is durable. What cannot be
//! applied goes to the [`quarantine`], and a [`replay`] tries it anew; the [`writer`] also drops what has
//! had its time.

mod commit;
mod merge;
mod quarantine;
mod queue;
mod writer;

pub use quarantine::{ReplayError, replay};

use crate::domain::Outcome;
use crate::provider::Event;
use crate::store::{RowDefaults, Store};
use crate::telemetry::Metrics;
use crate::webhook::Verified;
use queue::{Queue, Submission};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{Notify, oneshot};

/// What became of a delivery, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryOutcome {
    /// The outcome and its reason.
    pub outcome: Outcome,
    /// Our id of the user concerned.
    pub user_id: Option<String>,
}

/// Why a delivery could not be settled now. The sender is told to try again.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Unavailable {
    /// More deliveries wait than are accepted.
    #[error("more deliveries are waiting than can be accepted")]
    QueueFull,
    /// The database cannot be reached.
    #[error("the database cannot be reached at this moment")]
    #[strum(serialize = "database_unavailable")]
    DatabaseAway,
    /// The quarantine is at its cap.
    #[error("the quarantine is full; an operator has to look at `usersync replay --list`")]
    QuarantineFull,
    /// The process is stopping, or has not finished starting.
    #[error("the service is starting or stopping")]
    NotRunning,
    /// The answer took too long; it may still be committed.
    #[error("the delivery could not be committed in time")]
    Slow,
}

impl Unavailable {
    /// Every code, for the metrics' closed label set.
    pub const CODES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// The stable code in the answer and the metrics.
    pub fn code(self) -> &'static str {
        self.into()
    }
}

/// The way into the queue.
#[derive(Clone)]
pub struct Ingest {
    queue: Arc<Queue>,
}

/// The writer thread; it ends once the queue is closed and drained.
pub struct WriterThread(JoinHandle<()>);

impl Ingest {
    /// Starts the writer thread, which gives a `wake` after each commit of users about whom the
    /// provider may have to be told something.
    pub fn start(
        store: &Store,
        defaults: RowDefaults,
        wake: Arc<Notify>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<(Self, WriterThread)> {
        let queue = Arc::new(Queue::default());
        let committer = commit::Committer::new(store.writer(), defaults, wake, metrics);
        let thread = writer::spawn(Arc::clone(&queue), committer)?;
        Ok((Self { queue }, WriterThread(thread)))
    }

    /// Commits a delivery, together with whatever else is waiting, and says what became of
    /// it. A caller that stops waiting does not stop the commit.
    pub async fn submit(
        &self,
        delivery: Verified,
        event: Event,
    ) -> Result<DeliveryOutcome, Unavailable> {
        let (reply, outcome) = oneshot::channel();
        self.queue.push(Submission { delivery, event, reply })?;
        outcome.await.unwrap_or(Err(Unavailable::NotRunning))
    }

    /// Whether deliveries are accepted: not any more once the service stops, or the writer died.
    pub fn is_open(&self) -> bool {
        self.queue.is_open()
    }

    /// How many deliveries wait, and how many bytes their bodies have.
    pub fn waiting(&self) -> (usize, usize) {
        self.queue.waiting()
    }

    /// Accepts no more deliveries; the writer ends after those that wait.
    pub fn close(&self) {
        self.queue.close();
    }
}

impl WriterThread {
    /// Blocks until the writer has ended.
    pub fn join(self) {
        // A panic there has been printed by the panic hook already.
        self.0.join().ok();
    }
}
