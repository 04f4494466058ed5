//! The total order of snapshots: which of two is the row.
//!
//! A row is a function of the *set* of snapshots seen, never of their order, because the
//! greatest version wins wherever two meet: in [`super::merge`] within a batch, and in the
//! upsert's own `WHERE` between batches and replicas.

/// Raised whenever our mapping from payload to columns changes, so that a row of an
/// older mapping loses to the same snapshot mapped anew.
pub const PROJECTION: i16 = 1;

/// SHA-256 over every column mapped from a payload; breaks ties between snapshots of
/// one millisecond the same way on every replica.
pub type Digest = [u8; 32];

/// Where a snapshot stands in the order. Field order is the order of comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The provider's own `updated_at` in milliseconds, 0 when it was missing.
    pub updated_at_ms: i64,
    /// The mapping that made the row ([`PROJECTION`]).
    pub projection: i16,
    /// How the snapshot was come by: [`Version::KIND_EVENT`].
    pub kind: i16,
    /// When the provider sent it, in milliseconds, 0 when it did not say.
    pub seen_at_ms: i64,
    /// Digest of the mapped columns.
    pub digest: Digest,
}

impl Version {
    /// Kind of a snapshot that a webhook event carried.
    pub const KIND_EVENT: i16 = 1;

    /// The version of every signed deletion: greater than that of any snapshot, so that
    /// the one guard which orders snapshots also makes a deletion terminal.
    pub const DELETION: Self = Self {
        updated_at_ms: i64::MAX,
        projection: i16::MAX,
        kind: i16::MAX,
        seen_at_ms: i64::MAX,
        digest: [0xff; 32],
    };

    /// The version of a snapshot from an event.
    pub fn of_event(updated_at_ms: i64, seen_at_ms: i64, digest: Digest) -> Self {
        Self { updated_at_ms, projection: PROJECTION, kind: Self::KIND_EVENT, seen_at_ms, digest }
    }
}
