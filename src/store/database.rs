//! Which database the service keeps its rows in: the engine is decided once, from `DATABASE_URL`.
//!
//! Made by configuration, read by every part of the store that opens a connection. Opens nothing.

use secrecy::SecretString;
use std::path::PathBuf;

/// The database that was configured.
#[derive(Clone, Debug)]
pub enum Database {
    /// The path of a file that belongs to the service.
    Sqlite(PathBuf),
    Postgres(PostgresTarget),
}

/// A PostgreSQL server, and the service's schema in it.
#[derive(Clone, Debug)]
pub struct PostgresTarget {
    /// What libpq is given, password included.
    pub url: SecretString,
    /// The schema that holds the service's tables.
    pub schema: String,
}

impl Database {
    /// The engine's name, for logs.
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }
}

/// What a connection is for: it decides about timeouts, and what SQLite may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reads only.
    Read,
    /// Reads and writes.
    Write,
    /// Changes the schema: no time limit on a statement, no schema demanded.
    Migrate,
    /// Looks whether the schema is there: none demanded.
    Inspect,
}
