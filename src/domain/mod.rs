//! The brain: what a user is, and how things seen about a user become one row.
//!
//! Called by the provider (to build changes), by `ingest` (to fold them) and by `store`
//! (to write them). Pure: no IO, no async, no clock, no database, no HTTP. Time comes in
//! as an argument.
//!
//! * [`user`]: a snapshot of a user as the provider showed it, and its profile rules.
//! * [`entitlements`]: role and plan words, and which of them counts.
//! * [`version`]: the total order of snapshots.
//! * [`merge`]: many changes to one user become one.
//! * [`comparison`]: a row beside what the provider shows of the same user.
//! * [`job`]: what long work on all users is, and what it counts.
//! * [`schedule`]: when recurring work is due.
//! * [`write_back`]: what the provider should be told about a user.
//! * [`outcome`]: what became of a delivery, and why.
//! * [`backoff`]: when what failed is tried again.
//! * [`text`] and [`time`]: cleaned strings and checked instants.

pub mod absence;
pub mod backoff;
pub mod comparison;
pub mod entitlements;
pub mod import;
pub mod job;
pub mod merge;
pub mod outcome;
pub mod overrides;
pub mod schedule;
pub mod text;
pub mod time;
pub mod user;
pub mod version;
pub mod write_back;

pub use absence::EmptiedRows;
pub use backoff::Backoff;
pub use comparison::{Comparison, RowState, RowView, compare};
pub use entitlements::{AllowedValues, EntitlementName};
pub use import::{ImportOutcome, ImportPlan, ImportRow};
pub use job::{Counters, DriftKind, DryRunReport, JobEnd, JobKind, WriteBackPreview};
pub use merge::{Change, MergedChange};
pub use outcome::{IgnoreReason, Outcome, QuarantineReason, StaleReason};
pub use overrides::{Override, OverrideChange};
pub use schedule::Schedule;
pub use time::UnixMillis;
pub use user::{Entitlements, Origin, Profile, Snapshot, SnapshotTimes, Status};
pub use version::{AbsenceBaseline, Digest, Version};
pub use write_back::{Conflict, MetadataNames, MetadataPatch};
