//! Errors of the store, by what a caller can do about them.
//!
//! Database messages quote data, so none is kept: an error has a kind and, where PostgreSQL names
//! one, the constraint.

use diesel::ConnectionError;
use diesel::result::{DatabaseErrorKind, Error};

#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is unreachable, shutting down, locked or read-only: the caller may retry.
    #[error("the database is away: {0}")]
    Away(String),
    /// The database is alive and refused the statement.
    #[error("the database refused: {0}")]
    Refused(String),
    /// Only an operator can help: the configuration is wrong.
    #[error("{0}")]
    Unusable(String),
}

/// Messages of SQLite when it cannot work at all. They contain no data.
const SQLITE_AWAY: [&str; 7] = [
    "database is locked",
    "database table is locked",
    "database schema is locked",
    "attempt to write a readonly database",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
];

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::DatabaseError(kind, details) => {
                use DatabaseErrorKind as Kind;
                let away = matches!(
                    kind,
                    Kind::ClosedConnection
                        | Kind::UnableToSendCommand
                        | Kind::SerializationFailure
                        | Kind::ReadOnlyTransaction
                ) || SQLITE_AWAY.iter().any(|text| details.message().starts_with(text));
                let constraint = details.constraint_name().unwrap_or("no constraint named");
                let text = format!("{kind:?} ({constraint})");
                if away { Self::Away(text) } else { Self::Refused(text) }
            }
            Error::BrokenTransactionManager => Self::Away("the transaction broke".into()),
            Error::NotFound => Self::Refused("no such row".into()),
            Error::SerializationError(_) | Error::DeserializationError(_) => {
                Self::Refused("a value could not be converted".into())
            }
            _ => Self::Refused("a statement could not be run".into()),
        }
    }
}

/// Messages of libpq when waiting will not help.
const HOPELESS: [&str; 7] = [
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "is not permitted to log in",
    "permission denied for database",
    "unsupported startup parameter",
];

impl From<ConnectionError> for StoreError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::BadConnection(message) => {
                if message.starts_with("invalid") || message.contains("percent-encoded") {
                    // libpq repeats the part of the URL that it did not understand.
                    return Self::Unusable(
                        "DATABASE_URL cannot be read as a connection URL; percent-encode special \
                         characters in user name and password"
                            .into(),
                    );
                }
                let message: Vec<&str> = message.split_whitespace().collect();
                let message = message.join(" ");
                if HOPELESS.iter().any(|text| message.contains(text)) {
                    Self::Unusable(format!(
                        "cannot connect to the database; check DATABASE_URL: {message}"
                    ))
                } else {
                    Self::Away(message)
                }
            }
            ConnectionError::InvalidConnectionUrl(_) | ConnectionError::InvalidCString(_) => {
                Self::Unusable("DATABASE_URL cannot be read as a connection URL".into())
            }
            ConnectionError::CouldntSetupConfiguration(error) => error.into(),
            _ => Self::Away("the connection could not be made".into()),
        }
    }
}
