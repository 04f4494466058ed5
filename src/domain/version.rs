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
    /// How the snapshot was come by: [`Version::KIND_EVENT`] or [`Version::KIND_FETCHED`].
    pub kind: i16,
    /// Of an event, when the provider sent it (0 when it did not say); of a fetch, when we asked:
    /// milliseconds since 1970.
    pub seen_at_ms: i64,
    /// Digest of the mapped columns.
    pub digest: Digest,
}

/// What an absence is judged against: where the row stood when the user was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsenceBaseline {
    /// The row's `updated_at`, in milliseconds.
    pub updated_at_ms: i64,
    /// The row's projection.
    pub projection: i16,
}

impl Version {
    /// Kind of a snapshot that a webhook event carried.
    pub const KIND_EVENT: i16 = 1;

    /// Kind of a snapshot that was asked for: later than any event of one `updated_at`, because
    /// the provider's own database answered, not its queue.
    pub const KIND_FETCHED: i16 = 2;

    /// The version of every signed deletion: greater than that of any snapshot, so that
    /// the one guard which orders snapshots also makes a deletion terminal.
    pub const DELETION: Self = Self {
        updated_at_ms: i64::MAX,
        projection: i16::MAX,
        kind: i16::MAX,
        seen_at_ms: i64::MAX,
        digest: [0xff; 32],
    };

    /// The version of every imported row: whatever a file says of a user may be years old, so
    /// any snapshot beats it.
    pub const IMPORTED: Self =
        Self { updated_at_ms: 0, projection: 0, kind: 0, seen_at_ms: 0, digest: [0; 32] };

    /// The version of a snapshot from an event.
    pub fn of_event(updated_at_ms: i64, seen_at_ms: i64, digest: Digest) -> Self {
        Self { updated_at_ms, projection: PROJECTION, kind: Self::KIND_EVENT, seen_at_ms, digest }
    }

    /// The version of a snapshot that was asked for at `sent_at_ms`.
    pub fn of_fetch(updated_at_ms: i64, sent_at_ms: i64, digest: Digest) -> Self {
        let seen_at_ms = sent_at_ms;
        Self { updated_at_ms, projection: PROJECTION, kind: Self::KIND_FETCHED, seen_at_ms, digest }
    }

    /// The version of an absence, seen by a look-up sent at `sent_at_ms`, of the user whose row
    /// stood at `judged`. What changed at the provider afterwards beats it, as does a later fetch.
    pub fn of_absence(baseline: AbsenceBaseline, sent_at_ms: i64) -> Self {
        Self {
            updated_at_ms: baseline.updated_at_ms,
            projection: baseline.projection,
            kind: Self::KIND_FETCHED,
            seen_at_ms: sent_at_ms,
            digest: [0; 32],
        }
    }
}
