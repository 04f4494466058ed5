//! What a user is, and how things seen about a user become one row.
//!
//! Called by `provider` (to build changes), `ingest` (to merge them), `sync` and `store` (to
//! compare and write them). Pure: no IO, no async, no clock; time and random numbers are arguments.

pub mod absence;
pub mod backoff;
pub mod comparison;
pub mod entitlements;
pub mod import;
pub mod job;
pub mod merge;
pub mod outcome;
pub mod overrides;
pub mod patch_log;
pub mod profile_columns;
pub mod schedule;
pub mod text;
pub mod time;
pub mod user;
pub mod version;
pub mod write_back;

pub use absence::EmptiedRows;
pub use backoff::Backoff;
pub use comparison::{Comparison, GRACE, RowState, RowView, compare};
pub use entitlements::{AllowedValues, EntitlementName};
pub use import::{ImportOutcome, ImportPlan, ImportRow};
pub use job::{Counters, DriftKind, DryRunReport, JobEnd, JobKind, WriteBackPreview};
pub use merge::{Change, MergedChange};
pub use outcome::{IgnoreReason, Outcome, QuarantineReason, StaleReason};
pub use overrides::{OverrideChange, OverrideChanges};
pub use patch_log::PatchLog;
pub use profile_columns::ProfileColumns;
pub use schedule::Schedule;
pub use time::Timestamp;
pub use user::{Entitlements, Origin, Profile, Snapshot, SnapshotTimes, Status};
pub use version::{AbsenceBaseline, Digest, MOST_AHEAD, Version, believed_ms, horizon};
pub use write_back::{Conflict, MetadataNames, MetadataPatch};
