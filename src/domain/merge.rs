//! Many changes to one user become one.
//!
//! `ingest` folds what one batch holds for a user with [`MergedChange`] before the transaction,
//! on both databases; the store's guard applies the same order between batches. So it does
//! not matter how deliveries are split into batches, or over replicas.

use super::time::UnixMillis;
use super::user::Snapshot;
use super::version::Version;

/// One thing that the provider said about one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The user looks like this.
    Snapshot(Box<Snapshot>),
    /// The user was looked for and not found: a version like any other, so that what the
    /// provider says later brings the row back.
    Absence {
        /// The provider's id of the user.
        external_id: String,
        /// Where the absence stands in the order.
        version: Version,
    },
    /// The user is gone, signed by the provider: terminal.
    Deletion {
        /// The provider's id of the user.
        external_id: String,
    },
}

impl Change {
    /// The provider's id of the user concerned.
    pub fn external_id(&self) -> &str {
        match self {
            Self::Snapshot(snapshot) => &snapshot.external_id,
            Self::Absence { external_id, .. } | Self::Deletion { external_id } => external_id,
        }
    }

    /// How the user looks, where the change says so.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::Snapshot(snapshot) => Some(snapshot),
            Self::Absence { .. } | Self::Deletion { .. } => None,
        }
    }

    /// Where this change stands in the order: a deletion after every snapshot; of snapshots of
    /// one version (the digest leaves out the end of a lock) the one that locks for longer.
    fn rank(&self) -> (Version, Option<UnixMillis>) {
        match self {
            Self::Snapshot(snapshot) => (snapshot.version, snapshot.profile.locked_until),
            Self::Absence { version, .. } => (*version, None),
            Self::Deletion { .. } => (Version::DELETION, None),
        }
    }

    /// The user's own `updated_at` in milliseconds, as far as the order of changes goes.
    pub fn updated_at_ms(&self) -> i64 {
        self.rank().0.updated_at_ms
    }

    /// Whether this is the signed deletion.
    pub fn is_deletion(&self) -> bool {
        matches!(self, Self::Deletion { .. })
    }

    fn last_sign_in_at(&self) -> Option<UnixMillis> {
        match self {
            Self::Snapshot(snapshot) => snapshot.last_sign_in_at,
            Self::Absence { .. } | Self::Deletion { .. } => None,
        }
    }
}

/// What a set of changes to one user comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedChange<'a> {
    /// The change with the greatest rank.
    pub winner: &'a Change,
    /// The latest sign-in that any of them knew; none once the user is deleted.
    pub last_sign_in_at: Option<UnixMillis>,
}

impl<'a> MergedChange<'a> {
    /// The fold of one change.
    pub fn of(change: &'a Change) -> Self {
        Self { winner: change, last_sign_in_at: change.last_sign_in_at() }
    }

    /// Folds in one more change of the same user. Returns whether it is the winner now;
    /// of equals the earlier one stays.
    pub fn fold(&mut self, change: &'a Change) -> bool {
        let wins = change.rank() > self.winner.rank();
        if wins {
            self.winner = change;
        }
        self.last_sign_in_at = if self.winner.is_deletion() {
            None
        } else {
            self.last_sign_in_at.max(change.last_sign_in_at())
        };
        wins
    }
}
