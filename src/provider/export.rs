//! Users as a provider writes them into files, to be taken elsewhere.
//!
//! Implemented in each provider's folder, called by the import in `sync`. Pure: a record of a file
//! comes in, a snapshot of the lowest version comes out. A fault names places, never values.

use crate::domain::Snapshot;

/// A provider's files.
pub trait Export: Send + Sync {
    /// The header of the provider's table as it is exported, for whoever looks for the file.
    fn header(&self) -> &'static str;

    /// The columns of that table that are read; nothing else of a row is looked at.
    fn columns(&self) -> &'static [&'static str];

    /// Those without which a table is not the provider's.
    fn needed_columns(&self) -> &'static [&'static str];

    /// Reads a row: its cells in the order of [`Export::columns`], `None` where the table has no
    /// such column.
    fn of_row(&self, cells: Vec<Option<String>>) -> Result<Snapshot, ExportError>;

    /// Reads a user as the provider's API writes one, in JSON.
    fn of_object(&self, json: &[u8]) -> Result<Snapshot, ExportError>;

    /// The user of whom nothing but the provider's id is known.
    fn of_id(&self, external_id: &str) -> Result<Snapshot, ExportError>;
}

/// Why a record is no user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// It is to be JSON and is not, or is no object.
    #[error("it is no JSON object")]
    NoObject,
    /// The user's id is missing.
    #[error("the user has no id")]
    NoId,
    /// What stands there is none of the provider's ids.
    #[error("the user's id is not one of the provider's, `user_…`")]
    ForeignId,
    /// An id with characters that no id has.
    #[error("an id is longer than 255 bytes, or holds blanks or control characters")]
    UnusableId,
    /// A value of another type than it has to have.
    #[error("{0} has a value of the wrong type")]
    WrongType(String),
    /// A time that no database can hold.
    #[error("{0} is a time out of range")]
    OutOfRange(String),
}
