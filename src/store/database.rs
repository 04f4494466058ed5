//! The database of the service, decided once from `DATABASE_URL`, and what connections to it are
//! for.
//!
//! Made by configuration, read by every part of the store that opens a connection. Opens nothing.

use secrecy::SecretString;
use std::path::PathBuf;

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
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }
}

/// What a connection is for: decides its timeouts, and what SQLite allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Write,
    /// Changes the schema: statements have no time limit, and the schema need not exist.
    Migrate,
    /// Checks the schema, which need not exist.
    Inspect,
}
