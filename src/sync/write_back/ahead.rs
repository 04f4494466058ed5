//! Looking ahead: users whose snapshots are old are asked for together, before their turn comes.
//!
//! After a backfill a whole instance waits to be told. Each user must be looked at shortly before
//! anything is written, since somebody else may have filled in a value; one by one that would double
//! the calls. So those who are next are listed by their ids, in one call for many, and whoever turns
//! out to be right already costs none of their own.

use super::push::is_recently_seen;
use crate::provider::{ApiError, ListQuery, Priority};
use crate::sync::{SyncError, SyncService};

/// How many users are looked at ahead: so few that all are told before they are old again, even on the
/// budget of a development instance.
const AHEAD: u16 = 50;

/// Fewer are not worth a call.
const WORTH_IT: usize = 5;

/// How many write-backs are claimed before it is looked ahead again.
#[derive(Default)]
pub(super) struct Prefetch {
    left: usize,
}

impl Prefetch {
    /// So many were claimed.
    pub(super) fn record_claimed(&mut self, claimed: usize) {
        self.left = self.left.saturating_sub(claimed);
    }
}

impl SyncService {
    /// Brings the snapshots of those who are next up to date, where many of them are old.
    pub(super) async fn prefetch(&self, ahead: &mut Prefetch) -> Result<(), SyncError> {
        if ahead.left > 0 {
            return Ok(());
        }
        let source = self.source();
        let next = self.store.next_write_backs(source, i64::from(AHEAD)).await?;
        ahead.left = next.len();
        let old = next.into_iter().filter(|subject| !is_recently_seen(subject));
        let ids: Vec<String> = old.map(|subject| subject.external_id).collect();
        if ids.len() < WORTH_IT {
            return Ok(());
        }
        let query = ListQuery { ids, limit: AHEAD, ..ListQuery::default() };
        match self.directory.users(&query, Priority::Background).await {
            Ok(page) => Ok(self.apply_some(page.users).await?),
            // One by one they can be asked for all the same.
            Err(ApiError::NotFound | ApiError::Rejected { .. } | ApiError::Protocol(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
