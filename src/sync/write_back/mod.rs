//! Write-back: our id, the role and an overridden plan are written to the provider's metadata.
//!
//! [`worker`] leases write-backs that are due, on every replica; the sign-in sync pushes that of one
//! user at once. [`push`] is what happens under such a lease. Nothing here decides what to write: the
//! plan is the domain's, and is made anew from the row under each lease.

mod push;
mod setback;
mod worker;

use super::SyncService;
use crate::provider::Priority;
use crate::store::StoreError;
use crate::store::write_backs::{ClaimedWriteBacks, PostponedWriteBack};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After this time another worker follows one that died.
const LEASE: Duration = Duration::from_secs(20);

/// How often a request looks whether a worker has finished the user's write-back.
const WORKER_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The closed set of metric labels.
pub const WRITE_BACK_OUTCOMES: [&str; 13] = [
    "done",
    "conflict",
    "held_back",
    "rejected",
    "not_kept",
    "protocol",
    "rate_limited",
    "unavailable",
    "unauthorized",
    "again",
    "lost",
    "slow",
    "database",
];

impl SyncService {
    /// Tries the write-back of one user, for `timeout` at most; it goes on in the background.
    pub(super) async fn push_with_timeout(self: &Arc<Self>, external_id: &str, timeout: Duration) {
        let sync = Arc::clone(self);
        let external_id = external_id.to_owned();
        let try_it = tokio::spawn(async move {
            if sync.instance.failed_recently() || !sync.is_due(&external_id).await {
                return;
            }
            let proof = sync.instance.verify(Priority::Interactive);
            if matches!(tokio::time::timeout(timeout, proof).await, Ok(Ok(()))) {
                sync.push_now(external_id, timeout).await;
            }
        });
        tokio::time::timeout(timeout, try_it).await.ok();
    }

    /// Pushes one user, or waits while a worker does.
    async fn push_now(&self, external_id: String, timeout: Duration) {
        let started = Instant::now();
        let only = Some(external_id.clone());
        let claimed = self.claim(only, 1).await.unwrap_or_default();
        if let Some(lease) = claimed.leases.into_iter().next() {
            // What fails here is left to the worker.
            self.push(lease, Priority::Interactive).await;
            return;
        }
        while started.elapsed() < timeout && self.is_under_way(&external_id).await {
            tokio::time::sleep(WORKER_POLL_INTERVAL).await;
        }
    }

    async fn is_due(&self, external_id: &str) -> bool {
        self.store.is_write_back_due(self.source(), external_id.to_owned()).await.unwrap_or(false)
    }

    async fn is_under_way(&self, external_id: &str) -> bool {
        let external_id = external_id.to_owned();
        self.store.is_write_back_under_way(self.source(), external_id).await.unwrap_or(false)
    }

    /// Claims write-backs, and says which of them wait, since what we write does not last.
    async fn claim(
        &self,
        only: Option<String>,
        most: i64,
    ) -> Result<ClaimedWriteBacks, StoreError> {
        let claimed = self.store.claim_write_backs(self.source(), only, most, LEASE).await?;
        for PostponedWriteBack { external_id, writes, wait } in &claimed.postponed {
            let Some(suppressed) = self.postponed_log.pass(Instant::now()) else { continue };
            tracing::warn!(
                user.external_id = external_id,
                writes,
                suppressed,
                wait_seconds = wait.as_secs(),
                "what we write about this user does not last, so the next write waits: look for an application that \
                 replaces public_metadata by a copy of its own, for example at each user.updated"
            );
        }
        Ok(claimed)
    }
}
