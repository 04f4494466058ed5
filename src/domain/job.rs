//! What a job is, and what it counts.
//!
//! A job is long work on all users: `sync` does it page by page, `store` keeps it, `http` and `cli`
//! start it and show it. The words here are those of all four.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// What a job does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, EnumString, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum JobKind {
    /// Brings in every user of the provider.
    Backfill,
    /// Likewise, and finds rows whose user is gone.
    Reconcile,
    /// Changes nothing, and tells in what table and provider differ.
    Drift,
}

impl JobKind {
    pub const ALL: [Self; 3] = [Self::Backfill, Self::Reconcile, Self::Drift];

    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    /// Whether rows are looked for whose user is gone.
    pub const fn finds_orphans(self) -> bool {
        matches!(self, Self::Reconcile | Self::Drift)
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum JobEnd {
    /// All is done.
    Succeeded,
    /// It cannot be done.
    Failed,
    /// An operator has to allow what is left.
    Blocked,
}

impl JobEnd {
    pub const ALL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::Blocked];

    /// The word that is stored and shown as the job's state.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// What a job has counted so far, in users. In a dry run: what would be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Users of the provider who were compared.
    pub seen: u64,
    /// Rows that are new.
    pub created: u64,
    /// Rows that were changed, emptied ones included.
    pub updated: u64,
    /// Rows that were right already, or newer than what was fetched.
    pub unchanged: u64,
    /// Users whose signed deletion came before, and who stay deleted.
    pub tombstoned: u64,
    /// Users of the provider who had no live row.
    pub missing: u64,
    /// Rows that showed a user otherwise than the provider does.
    pub stale: u64,
    /// Live rows whose user the provider does not know.
    pub extra: u64,
    /// Users who could not be read, looked up or written.
    pub failed: u64,
}

/// What a job that only looks has found so far, beside its counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRunReport {
    /// What would be written to the provider.
    pub write_back: WriteBackPreview,
    /// Differences too young to count: an event about them may be on its way.
    pub in_flight: u64,
}

/// What a difference between table and provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum DriftKind {
    /// A user of the provider without a live row.
    Missing,
    /// A row that shows something older.
    Stale,
    /// A live row whose user the provider does not know.
    #[serde(rename = "extra")]
    #[strum(serialize = "extra")]
    Orphan,
    /// A user who holds an id that is not ours, or a role that is not known.
    Conflict,
    /// Personal data of a user who is deleted.
    Unerased,
}

impl DriftKind {
    pub const ALL: [Self; 5] =
        [Self::Missing, Self::Stale, Self::Orphan, Self::Conflict, Self::Unerased];

    /// The word that is stored, shown and counted.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// What would be written to the provider, and what stands in the way, in users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteBackPreview {
    /// Users of whom anything would be written.
    pub users: u64,
    /// Users who would be given our id.
    pub id: u64,
    /// Users who would be given a role.
    pub role: u64,
    /// Users who would be given a plan.
    pub plan: u64,
    /// Users who hold another id, or a role that is not known: they are left alone.
    pub conflicts: u64,
}
