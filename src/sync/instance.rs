//! Verifies that the API key belongs to the provider's instance that the table belongs to.
//!
//! Called before anything writes to the provider or empties a row. A key of another instance knows
//! none of the table's users: acted upon, that would empty it (traps 24 and 36). So the first key
//! that is verified pins its instance in the database, and every later key must be of that
//! instance.

use super::SyncError;
use crate::provider::{ApiError, Directory, Priority};
use crate::store::Store;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// After a failed verification requests do not repeat it for so long.
const FAILED_FOR: Duration = Duration::from_secs(10);

/// Verified once in the life of the process.
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

    pub(super) fn is_verified(&self) -> bool {
        self.verified.initialized()
    }

    pub(super) async fn verify(&self, priority: Priority) -> Result<(), SyncError> {
        self.verify_for(false, priority).await
    }

    /// A dry run verifies each time, and pins no instance.
    pub(super) async fn verify_for(
        &self,
        dry_run: bool,
        priority: Priority,
    ) -> Result<(), SyncError> {
        let compare = || self.compare(dry_run, priority);
        let verified = if dry_run {
            compare().await
        } else {
            self.verified.get_or_try_init(compare).await.copied()
        };
        *self.failed_at() = verified.is_err().then(Instant::now);
        verified
    }

    pub(super) fn failed_recently(&self) -> bool {
        self.failed_at().is_some_and(|at| at.elapsed() < FAILED_FOR)
    }

    fn failed_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.failed_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn compare(&self, dry_run: bool, priority: Priority) -> Result<(), SyncError> {
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
            None if !self.knows_our_users(priority).await? => {
                return Err(wrong("an instance that knows its users"));
            }
            None if dry_run => return Ok(()),
            None => self.store.pin_instance(self.source, id.clone(), self.store.now()).await?,
        };
        if !found.contains(&pinned) {
            return Err(wrong(&pinned));
        }
        tracing::info!(instance = pinned, "the API key is of this table's instance");
        Ok(())
    }

    /// Also true where the table has no live user.
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
