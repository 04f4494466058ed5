//! Proof that the API key belongs to the instance of the provider that the table belongs to.
//!
//! A key of another instance knows none of our users: acted upon, that would empty the table
//! (traps 24 and 36). So the instance is pinned in the database by the first key that proves to be
//! right, and every later key must be of that instance.

use super::SyncError;
use crate::provider::{ApiError, Directory, Priority};
use crate::store::Store;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How long after a proof that failed nobody's request tries it again.
const FAILED_FOR: Duration = Duration::from_secs(10);

/// Whether an instance that proves to be right is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    /// For good.
    Yes,
    /// Left open.
    No,
}

/// The instance of the key, proven once in the life of the process.
pub(super) struct InstanceCheck {
    store: Store,
    source: &'static str,
    directory: Arc<dyn Directory>,
    configured: Vec<String>,
    verified: OnceCell<()>,
    failed_at: Mutex<Option<Instant>>,
}

impl InstanceCheck {
    pub(super) fn new(
        store: Store,
        source: &'static str,
        directory: Arc<dyn Directory>,
        configured: Vec<String>,
    ) -> Self {
        Self {
            store,
            source,
            directory,
            configured,
            verified: OnceCell::new(),
            failed_at: Mutex::default(),
        }
    }

    /// Whether the key is proven already.
    pub(super) fn is_verified(&self) -> bool {
        self.verified.initialized()
    }

    /// Passes where the key is proven, else tries to prove it now.
    pub(super) async fn verify(&self, priority: Priority) -> Result<(), SyncError> {
        self.verify_and(Pin::Yes, priority).await
    }

    /// Likewise; whoever changes nothing does not pin the instance either.
    pub(super) async fn verify_and(&self, pin: Pin, priority: Priority) -> Result<(), SyncError> {
        let proven = match pin {
            Pin::Yes => {
                self.verified.get_or_try_init(|| self.compare(pin, priority)).await.copied()
            }
            Pin::No => self.compare(pin, priority).await,
        };
        *self.failed_at() = proven.is_err().then(Instant::now);
        proven
    }

    /// Whether a proof failed a moment ago. There may be many requests: they let it be.
    pub(super) fn failed_recently(&self) -> bool {
        self.failed_at().is_some_and(|at| at.elapsed() < FAILED_FOR)
    }

    fn failed_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.failed_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn compare(&self, pin: Pin, priority: Priority) -> Result<(), SyncError> {
        let found = self.directory.instances(priority).await?;
        let wrong = |expected: &str| SyncError::WrongInstance {
            found: if found.is_empty() { "no known instance".into() } else { found.join(", ") },
            expected: expected.to_owned(),
        };
        let configured = |id: &&String| self.configured.is_empty() || self.configured.contains(id);
        let Some(id) = found.iter().find(configured) else {
            return Err(wrong(&self.configured.join(", ")));
        };
        let pinned = match self.store.pinned_instance(self.source).await? {
            Some(pinned) => pinned,
            None if self.knows_our_users(priority).await? => match pin {
                Pin::Yes => self.store.pin_instance(self.source, id.clone(), super::now()).await?,
                Pin::No => return Ok(()),
            },
            None => return Err(wrong("an instance that knows its users")),
        };
        if !found.contains(&pinned) {
            return Err(wrong(&pinned));
        }
        tracing::info!(instance = pinned, "the API key is of this table's instance");
        Ok(())
    }

    /// Whether the key knows a live user of the table, or there is none to know.
    async fn knows_our_users(&self, priority: Priority) -> Result<bool, SyncError> {
        let samples = self.store.sample_live_users(self.source, Vec::new()).await?;
        for external_id in &samples {
            match self.directory.user(external_id, priority).await {
                Ok(_) => return Ok(true),
                Err(ApiError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(samples.is_empty())
    }
}
