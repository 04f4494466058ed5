//! Merges several changes to one user into one.
//!
//! `ingest` merges a batch by user before the transaction, on both engines; the store's guard
//! applies the same order between batches. So the result does not depend on how deliveries are
//! split into batches or over replicas.

use super::time::Timestamp;
use super::user::Snapshot;
use super::version::Version;

/// What the provider said about one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Snapshot(Box<Snapshot>),
    /// The provider did not know the user: a version like any other, so that a later snapshot
    /// brings the row back.
    Absence {
        external_id: String,
        version: Version,
    },
    /// The provider signed the deletion: terminal.
    Deletion {
        external_id: String,
    },
}

impl Change {
    pub fn external_id(&self) -> &str {
        match self {
            Self::Snapshot(snapshot) => &snapshot.external_id,
            Self::Absence { external_id, .. } | Self::Deletion { external_id } => external_id,
        }
    }

    pub fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::Snapshot(snapshot) => Some(snapshot),
            Self::Absence { .. } | Self::Deletion { .. } => None,
        }
    }

    /// The order of changes: a deletion comes after every snapshot; of snapshots of one version
    /// (the digest leaves out the end of a lock) the longer lock wins.
    fn rank(&self) -> (Version, Option<Timestamp>) {
        match self {
            Self::Snapshot(snapshot) => (snapshot.version, snapshot.profile.locked_until),
            Self::Absence { version, .. } => (*version, None),
            Self::Deletion { .. } => (Version::DELETION, None),
        }
    }

    /// The `updated_at` by which changes are ordered, in milliseconds.
    pub fn updated_at_ms(&self) -> i64 {
        self.rank().0.updated_at_ms
    }

    pub fn is_deletion(&self) -> bool {
        matches!(self, Self::Deletion { .. })
    }

    fn last_sign_in_at(&self) -> Option<Timestamp> {
        match self {
            Self::Snapshot(snapshot) => snapshot.last_sign_in_at,
            Self::Absence { .. } | Self::Deletion { .. } => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedChange<'a> {
    pub winner: &'a Change,
    /// The latest sign-in of all changes; none once the user is deleted.
    pub last_sign_in_at: Option<Timestamp>,
}

impl<'a> MergedChange<'a> {
    pub fn of(change: &'a Change) -> Self {
        Self { winner: change, last_sign_in_at: change.last_sign_in_at() }
    }

    /// Adds a change of the same user. Returns whether it wins; of equals the earlier one does.
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
