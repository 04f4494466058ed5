//! Errors of the store, by what a caller can do about them.
//!
//! Database messages quote data, so none is kept: an error has a SQLSTATE where one can be told, or
//! closed words, and the constraint, table or column that PostgreSQL names.

use super::postgres::LOCK_TIMEOUT;
use diesel::ConnectionError;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};
use std::time::Duration;

#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is unreachable, shutting down, locked, read-only, or not installed as it has to
    /// be: the caller may retry.
    #[error("the database is away: {0}")]
    Away(String),
    /// The database is alive and refused the statement.
    #[error("the database refused: {0}")]
    Refused(String),
    /// Only an operator can help: the configuration is wrong.
    #[error("{0}")]
    Unusable(String),
}

impl StoreError {
    /// The error of an attempt that took `elapsed`: what a time limit of the session may have ended
    /// says that the database is busy, not that the statement is at fault.
    #[must_use]
    pub fn after(self, elapsed: Duration) -> Self {
        match self {
            Self::Refused(why) if elapsed >= LOCK_TIMEOUT => Self::Away(why),
            error => error,
        }
    }
}

/// What an application's trigger may lack as well as the service: what else is written tells.
const OF_TRIGGERS_TOO: [&str; 4] = ["42501", "42P01", "3F000", "no such table"];

impl StoreError {
    /// Whether a delivery may be at fault for which a statement failed. While the installation is,
    /// other rows are refused too.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Away(why) => OF_TRIGGERS_TOO.iter().any(|words| why.starts_with(words)),
            Self::Unusable(_) => false,
        }
    }

    /// The words without what they mean.
    pub fn reason(self) -> String {
        match self {
            Self::Away(why) | Self::Refused(why) | Self::Unusable(why) => why,
        }
    }
}

/// Messages of SQLite when it cannot work at all. They contain no data.
const SQLITE_AWAY: [&str; 10] = [
    "database is locked",
    "database table is locked",
    "database schema is locked",
    "attempt to write a readonly database",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    "database disk image is malformed",
    "file is not a database",
    "no such table",
];

/// How messages of PostgreSQL begin and go on when the installation is at fault and no statement
/// is, and their SQLSTATE, which diesel does not show. In English, in which sessions ask for them.
const POSTGRES_AWAY: [(&str, &str, &str); 17] = [
    ("permission denied", "", "42501, rights are missing"),
    ("relation ", " does not exist", "42P01, a table is not there"),
    ("schema ", " does not exist", "3F000, the schema is not there"),
    ("could not ", "No space left on device", "53100, the disk is full"),
    ("could not ", "Disk quota exceeded", "53100, the disk quota is used up"),
    ("could not ", "Read-only file system", "58030, the disk is read-only"),
    ("could not extend file", "", "58030, a file of the server cannot grow"),
    ("could not write", "", "58030, a file of the server cannot be written"),
    ("out of memory", "", "53200, memory is used up"),
    ("out of shared memory", "", "53200, shared memory is used up"),
    ("canceling statement due to lock timeout", "", "55P03, another session holds a lock"),
    ("canceling statement due to statement timeout", "", "57014, a time limit ran out"),
    ("deadlock detected", "", "40P01, transactions collided"),
    ("terminating connection", "", "57P01, the server ended the session"),
    ("the database system is", "", "57P03, the server starts or stops"),
    ("could not open file", "", "58P01, a file of the server is not there"),
    ("could not read block", "", "XX001, a file of the server cannot be read"),
];

/// Why the database cannot work at all, where its message says so.
fn outage(message: &str) -> Option<&'static str> {
    let sqlite = SQLITE_AWAY.into_iter().find(|text| message.starts_with(text));
    let postgres = || {
        let said = POSTGRES_AWAY
            .into_iter()
            .find(|(begin, next, _)| message.starts_with(begin) && message.contains(next));
        said.map(|(_, _, words)| words)
    };
    sqlite.or_else(postgres)
}

/// The SQLSTATE of those kinds that diesel tells apart.
const fn kind_words(kind: DatabaseErrorKind) -> &'static str {
    use DatabaseErrorKind as Kind;
    match kind {
        Kind::UniqueViolation => "23505, a value is not unique",
        Kind::ForeignKeyViolation => "23503, a foreign key is violated",
        Kind::NotNullViolation => "23502, a value is missing",
        Kind::CheckViolation => "23514, a check is violated",
        Kind::RestrictViolation => "23001, a row is still referenced",
        Kind::ExclusionViolation => "23P01, an exclusion is violated",
        Kind::SerializationFailure => "40001, transactions collided",
        Kind::ReadOnlyTransaction => "25006, the server is read-only",
        Kind::ClosedConnection => "08006, the connection is closed",
        Kind::UnableToSendCommand => "the command could not be sent",
        _ => "an error that the database's own log names",
    }
}

/// What the database names beside its message: identifiers of the schema, never data.
fn names(details: &dyn DatabaseErrorInformation) -> String {
    let named = [
        ("constraint", details.constraint_name()),
        ("table", details.table_name()),
        ("column", details.column_name()),
    ];
    named.into_iter().filter_map(|(what, name)| Some(format!("; {what} {}", name?))).collect()
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::DatabaseError(kind, details) => {
                use DatabaseErrorKind as Kind;
                let outage = outage(details.message());
                let away = matches!(
                    kind,
                    Kind::ClosedConnection
                        | Kind::UnableToSendCommand
                        | Kind::SerializationFailure
                        | Kind::ReadOnlyTransaction
                );
                let words = outage.unwrap_or(kind_words(kind));
                let text = format!("{words}{}", names(details.as_ref()));
                if away || outage.is_some() { Self::Away(text) } else { Self::Refused(text) }
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
