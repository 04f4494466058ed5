//! Proof that the API key belongs to the instance of the provider that the table belongs to.
//!
//! A key of another instance knows none of our users: acted upon, that would empty the table
//! (traps 24 and 36). So the instance is pinned in the database by the first key that proves to be
//! right, and every later key must be of that instance.

use super::SyncError;
use crate::provider::{ApiError, Directory, Priority};
use crate::store::{Store, StoreError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How long after a proof that failed nobody's request tries it again.
const FAILED_FOR: Duration = Duration::from_secs(10);

/// Why the key is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The key belongs to another instance.
    #[error(
        "wrong_instance: the API key belongs to {found}, this table to {expected}; nothing is written back and nobody is emptied. Set CLERK_SECRET_KEY to a key of that instance"
    )]
    WrongInstance {
        /// What the key belongs to.
        found: String,
        /// What it should belong to.
        expected: String,
    },
    /// The provider could not be asked.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The database could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SyncError> for InstanceError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Api(error) => Self::Api(error),
            SyncError::Store(error) => Self::Store(error),
        }
    }
}

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
    pub(super) async fn verify(&self, priority: Priority) -> Result<(), InstanceError> {
        self.verify_and(Pin::Yes, priority).await
    }

    /// Likewise; whoever changes nothing does not pin the instance either.
    pub(super) async fn verify_and(
        &self,
        pin: Pin,
        priority: Priority,
    ) -> Result<(), InstanceError> {
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

    async fn compare(&self, pin: Pin, priority: Priority) -> Result<(), InstanceError> {
        let found = self.directory.instances(priority).await?;
        let wrong = |expected: &str| InstanceError::WrongInstance {
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
    async fn knows_our_users(&self, priority: Priority) -> Result<bool, InstanceError> {
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
