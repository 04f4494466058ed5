//! Fetches a user who signs in before their event arrived: once, however many requests ask.
//!
//! Called by `http` for a valid session whose row is missing, and by the sign-in sync. That the
//! provider knows no such user is remembered for a while, which spares the call and never the look
//! at the table.

use super::{SyncError, SyncService};
use crate::domain::Timestamp;
use crate::provider::{ApiError, Priority};
use crate::store::StoredUser;
use crate::store::batch::UpsertOutcome;
use moka::future::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// For how long a user whom the provider did not know is not fetched again.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// For how long later requests share a fetch that has succeeded.
const JOINED_FOR: Duration = Duration::from_secs(1);

const MOST_REMEMBERED: u64 = 10_000;

/// How old a fetch may be for the sign-in sync to use it.
const FRESH_FOR: Duration = Duration::from_secs(60);

/// How long the sign-in sync waits for a write-back.
const WRITE_BACK_WITHIN: Duration = Duration::from_secs(2);

/// Which row makes a fetch needless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum RowRequirement {
    /// A live row that does not come from an imported file alone.
    AnyRow,
    /// A live row that was fetched less than a minute ago.
    FreshRow,
}

impl RowRequirement {
    fn is_met_by(self, row: &StoredUser, now: Timestamp) -> bool {
        match self {
            Self::AnyRow => !row.is_imported(),
            Self::FreshRow => row.last_fetched_at.is_some_and(|at| at.is_recent(now, FRESH_FOR)),
        }
    }
}

pub(super) struct SingleFlight {
    joined: Cache<(String, RowRequirement), ()>,
    unknown: Cache<String, ()>,
}

impl Default for SingleFlight {
    fn default() -> Self {
        let joined =
            Cache::builder().max_capacity(MOST_REMEMBERED).time_to_live(JOINED_FOR).build();
        let unknown =
            Cache::builder().max_capacity(MOST_REMEMBERED).time_to_live(UNKNOWN_FOR).build();
        Self { joined, unknown }
    }
}

impl SyncService {
    /// Returns whether this very call made the row.
    pub async fn fetch_missing(&self, external_id: &str) -> Result<bool, SyncError> {
        self.fetch_unless(external_id, RowRequirement::AnyRow).await
    }

    /// Refreshes the row of a signed-in user unless that was done a moment ago, and tries to push
    /// what the provider lacks. Returns whether this very call made the row.
    pub async fn sync_at_sign_in(self: &Arc<Self>, external_id: &str) -> Result<bool, SyncError> {
        let created = self.fetch_unless(external_id, RowRequirement::FreshRow).await?;
        if self.policy.defaults.write_back {
            self.push_with_timeout(external_id, WRITE_BACK_WITHIN).await;
        }
        Ok(created)
    }

    async fn fetch_unless(
        &self,
        external_id: &str,
        requirement: RowRequirement,
    ) -> Result<bool, SyncError> {
        let created = AtomicBool::new(false);
        let fetch = async {
            // Read within the flight: a request that read the table before the last flight ended,
            // and joins late, must not fetch again.
            let row = self.store.stored_user(self.source(), external_id.to_owned()).await?;
            let row = row.filter(StoredUser::is_live);
            if row.as_ref().is_some_and(|row| requirement.is_met_by(row, self.store.now())) {
                return Ok(());
            }
            // A user who has a row by now is known.
            if row.is_none() && self.single_flight.unknown.contains_key(external_id) {
                return Err(SyncError::Api(ApiError::NotFound));
            }
            let fetched = self.refresh(external_id, Priority::Interactive).await;
            // Inserted before the flight ends: a request that is too late to join it finds this.
            if matches!(fetched, Err(SyncError::Api(ApiError::NotFound))) {
                self.single_flight.unknown.insert(external_id.to_owned(), ()).await;
            }
            created.store(fetched?.outcome == UpsertOutcome::Created, Ordering::Relaxed);
            Ok(())
        };
        let joined = self
            .single_flight
            .joined
            .try_get_with((external_id.to_owned(), requirement), fetch)
            .await;
        joined.map_err(Arc::unwrap_or_clone)?;
        Ok(created.into_inner())
    }
}
