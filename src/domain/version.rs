//! The total order of snapshots: which of two is the row.
//!
//! A row is a function of the *set* of snapshots seen, never of their order, because the greatest
//! version wins: in [`super::merge`] within a batch, in the upsert's own `WHERE`
//! (`store::batch::sql::rank`) between batches and replicas. No version covers the end of a lock:
//! of equal versions both places let the longer lock win.

use super::time::Timestamp;
use std::time::Duration;

/// How far ahead of the database's clock an instant is believed. The guard of the upsert has this
/// number too (`store::batch::sql`).
pub const MOST_AHEAD: Duration = Duration::from_secs(60);

/// Raised whenever the mapping from payload to columns changes, so that a row of an older mapping
/// loses to the same snapshot mapped anew.
pub const PROJECTION: i16 = 1;

/// SHA-256 over every mapped column; breaks ties of one millisecond alike on every replica.
pub type Digest = [u8; 32];

/// Field order is the order of comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 0 where the provider gave none.
    pub updated_at_ms: i64,
    /// [`PROJECTION`] of the mapping.
    pub projection: i16,
    /// Of a snapshot that was seen, [`Version::KIND_EVENT`] or [`Version::KIND_FETCHED`].
    pub kind: i16,
    /// When the provider sent an event (0: unknown), or we sent a fetch; ms since 1970.
    pub seen_at_ms: i64,
    pub digest: Digest,
}

/// The version of the row, read just before the look-up that did not find its user was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsenceBaseline {
    pub updated_at_ms: i64,
    pub projection: i16,
}

impl Version {
    pub const KIND_EVENT: i16 = 1;

    /// Later than any event of one `updated_at`: the provider's database answered, not its queue.
    pub const KIND_FETCHED: i16 = 2;

    /// Greater than any snapshot's, so that the guard also makes a deletion terminal.
    pub const DELETION: Self = Self {
        updated_at_ms: i64::MAX,
        projection: i16::MAX,
        kind: i16::MAX,
        seen_at_ms: i64::MAX,
        digest: [0xff; 32],
    };

    /// A file may be years old, so any snapshot beats it.
    pub const IMPORTED: Self =
        Self { updated_at_ms: 0, projection: 0, kind: 0, seen_at_ms: 0, digest: [0; 32] };

    pub fn of_event(updated_at_ms: i64, seen_at_ms: i64, digest: Digest) -> Self {
        Self { updated_at_ms, projection: PROJECTION, kind: Self::KIND_EVENT, seen_at_ms, digest }
    }

    pub fn of_fetch(updated_at_ms: i64, sent_at_ms: i64, digest: Digest) -> Self {
        let seen_at_ms = sent_at_ms;
        Self { updated_at_ms, projection: PROJECTION, kind: Self::KIND_FETCHED, seen_at_ms, digest }
    }

    /// As the guard believes it at `now`: only a fetch is dated by a clock of ours.
    #[must_use]
    pub fn believed_at(self, now: Timestamp) -> Self {
        if self.kind == Self::KIND_FETCHED {
            Self { seen_at_ms: believed_ms(self.seen_at_ms, now), ..self }
        } else {
            self
        }
    }

    /// An absence found by a look-up sent at `sent_at_ms`. A later change at the provider beats it,
    /// as does a later fetch.
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

/// The latest instant that is believed at `now`, by the database's clock. A later one was written by a
/// wrong clock, and counts as never: it would hide what comes until time has passed it.
pub fn horizon(now: Timestamp) -> Timestamp {
    now.plus(MOST_AHEAD)
}

/// An instant in milliseconds, or 0 where it lies beyond the [`horizon`].
pub fn believed_ms(instant_ms: i64, now: Timestamp) -> i64 {
    if instant_ms > horizon(now).as_millis() { 0 } else { instant_ms }
}
