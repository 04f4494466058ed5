//! Group commit: many requests, one transaction.
//!
//! Called by the webhook handler and by a replay. A verified, parsed delivery waits in a bounded
//! [`queue`]; one [`writer`] thread takes all that is queued, [`merge`]s it and [`commit`]s it
//! through the store, without a timer: the next batch gathers while one is committed. What cannot
//! be applied goes to the [`quarantine`]. No delivery is answered before its effect is durable.

mod commit;
mod merge;
mod quarantine;
mod queue;
mod refused_deletions;
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryOutcome {
    pub outcome: Outcome,
    /// Our id of the user.
    pub user_id: Option<String>,
}

/// Why a delivery was not committed; the sender is to retry.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Unavailable {
    #[error("more deliveries are waiting than can be accepted")]
    QueueFull,
    #[error("the database cannot be reached at this moment")]
    #[strum(serialize = "database_unavailable")]
    DatabaseAway,
    #[error("the quarantine is full; an operator has to look at `usersync replay --list`")]
    QuarantineFull,
    #[error(
        "the database refuses to empty the user's row; the log names the SQLSTATE and the constraint"
    )]
    DeletionRefused,
    #[error("the service is starting or stopping")]
    NotRunning,
    /// The commit may still happen.
    #[error("the delivery could not be committed in time")]
    Slow,
}

impl Unavailable {
    /// The closed set of metric labels.
    pub const CODES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// The `code` of the problem, and the label of the metric.
    pub fn code(self) -> &'static str {
        self.into()
    }
}

#[derive(Clone)]
pub struct Ingest {
    queue: Arc<Queue>,
}

/// Ends once the queue is closed and drained.
pub struct WriterThread(JoinHandle<()>);

impl Ingest {
    /// Starts the writer thread, which notifies `wake` after commits that may enqueue write-backs.
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

    /// Waits until the delivery is committed. A caller that stops waiting does not stop the commit.
    pub async fn submit(
        &self,
        delivery: Verified,
        event: Event,
    ) -> Result<DeliveryOutcome, Unavailable> {
        let (reply, outcome) = oneshot::channel();
        self.queue.push(Submission { delivery, event, reply: Some(reply) })?;
        outcome.await.unwrap_or(Err(Unavailable::NotRunning))
    }

    /// False once the service stops, or the writer thread died.
    pub fn is_open(&self) -> bool {
        self.queue.is_open()
    }

    /// Whether the last write succeeded, of a delivery or of a probe since then.
    pub fn is_writable(&self) -> bool {
        self.queue.probe_at().is_none()
    }

    /// Deliveries in the queue, and the bytes of their bodies.
    pub fn waiting(&self) -> (usize, usize) {
        self.queue.waiting()
    }

    /// The writer ends after the deliveries that wait.
    pub fn close(&self) {
        self.queue.close();
    }
}

impl WriterThread {
    /// Blocks until the writer has ended.
    pub fn join(self) {
        // The panic hook has printed a panic of that thread already.
        self.0.join().ok();
    }
}
