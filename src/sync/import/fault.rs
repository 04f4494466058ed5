//! What may be wrong with a file, or with a line of it.
//!
//! Printed by `usersync import`. No text holds what the file says of a person: lines are named by
//! their numbers, users and rows by their ids.

use crate::provider::ExportError;
use crate::sync::SyncError;
use std::io;

/// Why a line was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    #[error("it is longer than 1 MiB")]
    TooLong,
    #[error("a quoted cell never ends, so nothing after the beginning of this line was read")]
    NeverClosed,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("it holds a NUL character")]
    Nul,
    #[error("it has {found} column(s), and the header {expected}")]
    Columns { found: usize, expected: usize },
    #[error(transparent)]
    Unreadable(#[from] ExportError),
    #[error("the id that the row is to have is missing")]
    NoRowId,
    #[error("the id that the row is to have is longer than 255 bytes, or holds control characters")]
    UnusableRowId,
    /// By the table, or an earlier line.
    #[error("{external_id} already has the row {row_id}")]
    OtherId { external_id: String, row_id: String },
    /// By the table, or an earlier line.
    #[error("the row {0} already belongs to another user")]
    TakenId(String),
    /// The database accepted the lines around it.
    #[error("the database refused it")]
    Refused,
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("nothing is in it. {}", expected(header))]
    Empty { header: &'static str },
    #[error("it does not begin as it should. {}", expected(header))]
    UnknownBeginning { header: &'static str },
    #[error("it is UTF-16; save it as UTF-8")]
    Utf16,
    #[error("it is one JSON array; write an object a line, as `jq -c '.[]'` does")]
    JsonArray,
    #[error(
        "only NDJSON has a field `external_id` for --ids-from-external-id; a CSV export has no such \
         column, and in pairs `id` is the row's id anyway"
    )]
    NoExternalIds,
    #[error("it could not be read on from line {line}: {error}")]
    Read { line: u64, error: io::Error },
    #[error("the lines from {line} on are not in, or not all of them: {error}")]
    Store { line: u64, error: SyncError },
}

fn expected(header: &str) -> String {
    format!(
        "Expected is one of:\n  \
         - the dashboard's CSV export, with the header\n    {header}\n  \
         - NDJSON, a user of the Backend API a line, each beginning with `{{`\n  \
         - pairs, CSV with the header\n    id,external_id"
    )
}
