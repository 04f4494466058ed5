//! A user who signs in before their event came: fetched now, once, however many requests ask.
//!
//! Called by `http` for a valid session whose row is missing, and by the sign-in sync. That
//! the provider knows no such user is remembered for a while, which spares the call and never the
//! look at the table.

use super::{SyncError, SyncService, now};
use crate::provider::{ApiError, Priority};
use crate::store::StoredUser;
use crate::store::batch::UpsertOutcome;
use moka::future::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a user whom the provider did not know is not asked for again.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// For how long those who come late join a fetch that has just succeeded.
const JOINED_FOR: Duration = Duration::from_secs(1);

/// How many users are remembered at most, in either way.
const MOST_REMEMBERED: u64 = 10_000;

/// How old a fetch may be for the sign-in sync to do without another.
const FRESH_FOR: Duration = Duration::from_secs(60);

/// How long a person waits for a write-back at most.
const WRITE_BACK_WITHIN: Duration = Duration::from_secs(2);

/// What somebody does without a fetch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum RowRequirement {
    /// A live row of which the provider has told, and not a file alone.
    AnyRow,
    /// A live row that was fetched a moment ago.
    FreshRow,
}

impl RowRequirement {
    fn is(self, row: &StoredUser) -> bool {
        // A time ahead of ours comes from a clock that is, and says nothing.
        let is_recent = |at| at <= now() && now().since(at) < FRESH_FOR;
        match self {
            Self::AnyRow => !row.is_imported(),
            Self::FreshRow => row.last_fetched_at.is_some_and(is_recent),
        }
    }
}

/// Fetches that are under way or just over, and users whom the provider did not know.
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
    /// Fetches a user whose row is missing, or only imported. Returns whether this very call made the row.
    pub async fn fetch_missing(&self, external_id: &str) -> Result<bool, SyncError> {
        self.fetch_unless(external_id, RowRequirement::AnyRow).await
    }

    /// Brings the row of a signed-in user in step unless that was done a moment ago, and tries to
    /// tell the provider what it lacks. Returns whether this very call made the row.
    pub async fn sync_at_sign_in(self: &Arc<Self>, external_id: &str) -> Result<bool, SyncError> {
        let created = self.fetch_unless(external_id, RowRequirement::FreshRow).await?;
        if self.policy.defaults.write_back {
            self.push_with_timeout(external_id, WRITE_BACK_WITHIN).await;
        }
        Ok(created)
    }

    /// Fetches a user, unless there is a live row that will do. Returns whether this very call
    /// made the row.
    async fn fetch_unless(
        &self,
        external_id: &str,
        wanted: RowRequirement,
    ) -> Result<bool, SyncError> {
        let created = AtomicBool::new(false);
        let fetch = async {
            // The table is read within the flight, too: whoever read it before the last one
            // ended, and is late, must not fetch again.
            let row = self.store.stored_user(self.source(), external_id.to_owned()).await?;
            let row = row.filter(StoredUser::is_live);
            if row.as_ref().is_some_and(|row| wanted.is(row)) {
                return Ok(());
            }
            // Whoever has a row by now is known.
            if row.is_none() && self.single_flight.unknown.contains_key(external_id) {
                return Err(SyncError::Api(ApiError::NotFound));
            }
            let fetched = self.refresh(external_id, Priority::Interactive).await;
            // Noted before the fetch counts as over: whoever comes too late to join it finds this.
            if matches!(fetched, Err(SyncError::Api(ApiError::NotFound))) {
                self.single_flight.unknown.insert(external_id.to_owned(), ()).await;
            }
            created.store(fetched?.outcome == UpsertOutcome::Created, Ordering::Relaxed);
            Ok(())
        };
        let joined =
            self.single_flight.joined.try_get_with((external_id.to_owned(), wanted), fetch).await;
        joined.map_err(Arc::unwrap_or_clone)?;
        Ok(created.into_inner())
    }
}
