//! Jobs: what they do, how they end, and what they count.
//!
//! Used by `sync`, which runs them page by page, `store`, which keeps them, and `http` and `cli`,
//! which start and show them.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, EnumString, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum JobKind {
    /// Fetches every user of the provider.
    Backfill,
    /// A backfill that also empties orphans: live rows whose user the provider does not know.
    Reconcile,
    /// Changes nothing, and reports how table and provider differ.
    Drift,
}

impl JobKind {
    pub const ALL: [Self; 3] = [Self::Backfill, Self::Reconcile, Self::Drift];

    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    pub fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    pub const fn finds_orphans(self) -> bool {
        matches!(self, Self::Reconcile | Self::Drift)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum JobEnd {
    Succeeded,
    Failed,
    /// Orphans whom only an operator may have emptied: too many, or the key knows no other user.
    Blocked,
}

impl JobEnd {
    pub const ALL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::Blocked];

    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// What a job has counted so far, in users; in a dry run, what it would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Users of the provider that were compared.
    pub seen: u64,
    pub created: u64,
    /// Rows changed, emptied ones included.
    pub updated: u64,
    /// Rows that agreed, or were newer than the page.
    pub unchanged: u64,
    /// Users that stay deleted, because the provider signed it.
    pub tombstoned: u64,
    /// Users of the provider without a live row.
    pub missing: u64,
    /// Rows that differed from the provider.
    pub stale: u64,
    /// Live rows whose user the provider does not know.
    pub extra: u64,
    /// Users that could not be read, looked up or written.
    pub failed: u64,
}

/// What a job that changes nothing reports beside its counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRunReport {
    pub write_back: WriteBackPreview,
    /// Differences so recent that an event about them may be on its way.
    pub in_flight: u64,
}

/// How a row differs from the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum DriftKind {
    /// A user of the provider without a live row.
    Missing,
    Stale,
    /// A row that claims to be newer than what the provider shows, and has for longer than it can be
    /// on its way; or one that bears a time from the future.
    Newer,
    /// A live row whose user the provider does not know.
    #[serde(rename = "extra")]
    #[strum(serialize = "extra")]
    Orphan,
    /// The provider holds an id that is not ours, or an unknown role.
    Conflict,
    /// Personal data is left of a deleted user.
    Unerased,
}

impl DriftKind {
    pub const ALL: [Self; 6] =
        [Self::Missing, Self::Stale, Self::Newer, Self::Orphan, Self::Conflict, Self::Unerased];

    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// What write-back would send, in users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteBackPreview {
    pub users: u64,
    pub id: u64,
    pub role: u64,
    pub plan: u64,
    /// Users left alone, because the provider holds another id or an unknown role.
    pub conflicts: u64,
}
