//! What may be wrong with a file, or with a line of it. No text holds what the file says of a
//! person: lines are named by their numbers, users and rows by their ids.

use crate::provider::ExportError;
use crate::sync::SyncError;
use std::io;

/// Why a line was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It is longer than any user.
    #[error("it is longer than 1 MiB")]
    TooLong,
    /// The file ends inside a quoted cell.
    #[error("a quoted cell never ends, so nothing after the beginning of this line was read")]
    NeverClosed,
    /// It is no text.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// It has a character that no database holds.
    #[error("it holds a NUL character")]
    Nul,
    /// It is no row under its header.
    #[error("it has {found} column(s), and the header {expected}")]
    Columns {
        /// How many cells it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// The provider does not write users like this.
    #[error(transparent)]
    Unreadable(#[from] ExportError),
    /// It does not say which row the user is to have.
    #[error("the id that the row is to have is missing")]
    NoRowId,
    /// No row has such an id.
    #[error("the id that the row is to have is longer than 255 bytes, or holds control characters")]
    UnusableRowId,
    /// The user has another row, by the table or an earlier line.
    #[error("{external_id} already has the row {row_id}")]
    OtherId {
        /// The provider's id of the user.
        external_id: String,
        /// The id of the row.
        row_id: String,
    },
    /// Another user has the row, by the table or an earlier line.
    #[error("the row {0} already belongs to another user")]
    TakenId(String),
    /// The database took the lines around it, but not this one.
    #[error("the database refused it")]
    Refused,
}

/// Why an import did not come to the end of its file.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is nothing in it.
    #[error("nothing is in it. {}", expected(header))]
    Empty {
        /// The header of the provider's table.
        header: &'static str,
    },
    /// It does not begin like a file that can be imported.
    #[error("it does not begin as it should. {}", expected(header))]
    UnknownBeginning {
        /// The header of the provider's table.
        header: &'static str,
    },
    /// It is text of another encoding.
    #[error("it is UTF-16; save it as UTF-8")]
    Utf16,
    /// All its users stand in one list.
    #[error("it is one JSON array; write an object a line, as `jq -c '.[]'` does")]
    JsonArray,
    /// The rows' ids are asked of a file that does not hold them so.
    #[error(
        "only NDJSON has a field `external_id` for --ids-from-external-id; a CSV export has no such \
         column, and in pairs `id` is the row's id anyway"
    )]
    NoExternalIds,
    /// It could not be read to its end.
    #[error("it could not be read on from line {line}: {error}")]
    Read {
        /// The first line that was not taken in.
        line: u64,
        /// What the system said.
        error: io::Error,
    },
    /// The database did not take the lines from this one on.
    #[error("the lines from {line} on are not in, or not all of them: {error}")]
    Store {
        /// The first line of the batch that failed.
        line: u64,
        /// What the database said.
        error: SyncError,
    },
}

fn expected(header: &str) -> String {
    format!(
        "Expected is one of:\n  \
         - the dashboard's CSV export, with the header\n    {header}\n  \
         - NDJSON, a user of the Backend API a line, each beginning with `{{`\n  \
         - pairs, CSV with the header\n    id,external_id"
    )
}
