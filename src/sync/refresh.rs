//! Applies snapshots that were fetched, and wakes the worker of write-backs.
//!
//! Called by everything in `sync` that fetches users.

use super::{SyncError, SyncService};
use crate::domain::{Change, Snapshot};
use crate::provider::Priority;
use crate::store::StoreError;
use crate::store::batch::UserResult;

impl SyncService {
    pub(super) async fn refresh(
        &self,
        external_id: &str,
        priority: Priority,
    ) -> Result<UserResult, SyncError> {
        let snapshot = self.directory.user(external_id, priority).await?;
        let nothing = || StoreError::Refused("a snapshot without a result".into());
        let results = self.apply(vec![snapshot]).await?;
        Ok(results.into_iter().next().ok_or_else(nothing)?)
    }

    pub(super) async fn apply(
        &self,
        snapshots: Vec<Snapshot>,
    ) -> Result<Vec<UserResult>, StoreError> {
        let changes = snapshots.into_iter().map(|user| Change::Snapshot(Box::new(user))).collect();
        let results = self.store.apply(self.policy.defaults, self.store.now(), changes).await?;
        self.wake_write_back();
        Ok(results)
    }
}
