//! The error of `sync`.
//!
//! Returned by everything here that calls the provider or the database; `http` maps it to a
//! problem.

use crate::provider::ApiError;
use crate::store::StoreError;

#[derive(Clone, Debug, thiserror::Error)]
pub enum SyncError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The API key belongs to another instance than the table does.
    #[error(
        "wrong_instance: the API key belongs to {found}, this table to {expected}; nothing is written back and nobody is emptied. Set CLERK_SECRET_KEY to a key of that instance"
    )]
    WrongInstance { found: String, expected: String },
    /// Another replica holds the lease, or an operator cancelled the job.
    #[error("the lease is lost")]
    LeaseLost,
    /// An operator has to allow the rest of a job.
    #[error("{0}")]
    Blocked(String),
}
