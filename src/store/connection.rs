//! One connection to either engine.
//!
//! Used only inside `store`. The engine is chosen once, from the configured [`Database`]; an enum
//! carries the connection, and [`both!`] a statement that compiles for each engine. Who keeps one holds
//! it as an [`OpenConnection`](super::open_connection::OpenConnection).

use super::Clock;
use super::database::{Database, Purpose};
use super::error::StoreError;
use super::types::UtcColumn;
use super::{postgres, sqlite};
use crate::domain::Timestamp;
use diesel::connection::{AnsiTransactionManager, SimpleConnection as _, TransactionManager as _};
use diesel::r2d2::R2D2Connection as _;
use diesel::{PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
use std::sync::Arc;

/// A connection to one of the two engines.
pub(super) enum AnyConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// SQLite has one writer at a time and picks the next by chance, so that a busy writer could keep
/// all others out. Within a process this lock queues them; between processes SQLite's own waiting
/// has to do. PostgreSQL needs none.
#[derive(Clone)]
pub(super) struct WriteLock(Option<Arc<tokio::sync::Mutex<()>>>);

impl WriteLock {
    pub(super) fn of(database: &Database) -> Self {
        Self(matches!(database, Database::Sqlite(_)).then(Arc::default))
    }

    /// Blocks until the caller may write, which lasts until the guard is dropped.
    pub(super) fn wait(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        self.0.as_ref().map(|write_lock| write_lock.blocking_lock())
    }
}

/// Runs one expression on whichever engine the connection belongs to.
macro_rules! both {
    ($connection:expr, |$inner:ident| $body:expr) => {
        match $connection {
            $crate::store::connection::AnyConnection::Postgres($inner) => $body,
            $crate::store::connection::AnyConnection::Sqlite($inner) => $body,
        }
    };
}
pub(super) use both;

impl AnyConnection {
    pub(super) fn open(database: &Database, purpose: Purpose) -> Result<Self, StoreError> {
        match database {
            Database::Postgres(target) => postgres::open(target, purpose).map(Self::Postgres),
            Database::Sqlite(path) => sqlite::open(path, purpose).map(Self::Sqlite),
        }
    }

    pub(super) fn is_alive(&mut self) -> bool {
        both!(self, |inner| inner.ping()).is_ok()
    }

    /// The database's clock: replicas share leases and windows by no other.
    pub(super) fn now(&mut self) -> Result<Timestamp, StoreError> {
        #[derive(QueryableByName)]
        struct Now {
            #[diesel(sql_type = UtcColumn)]
            now: Timestamp,
        }
        let now: Now = match self {
            Self::Postgres(inner) => {
                sql_query("SELECT clock_timestamp() AS now").get_result(inner)?
            }
            Self::Sqlite(inner) => sql_query("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AS now")
                .get_result(inner)?,
        };
        Ok(now.now)
    }

    /// Likewise, and sets the clock of this process by it.
    pub(super) fn read_clock(&mut self, clock: &Clock) -> Result<Timestamp, StoreError> {
        let now = self.now()?;
        if matches!(self, Self::Postgres(_)) {
            clock.set(now);
        }
        Ok(now)
    }

    /// Plans the statements of `work` for what the tables hold now.
    pub(super) fn with_custom_plans<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Self::Postgres(inner) = self {
            inner.batch_execute(postgres::CUSTOM_PLANS)?;
        }
        let result = work(self);
        if let Self::Postgres(inner) = self {
            inner.batch_execute(postgres::GENERIC_PLANS)?;
        }
        result
    }

    /// Runs `body` in one transaction, rolled back on an error. On SQLite the write lock is taken
    /// at once, because a read that later writes could not wait for it.
    pub(super) fn transaction<T>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transaction_begun_with("BEGIN", body)
    }

    /// Likewise; on PostgreSQL it begins with these statements.
    pub(super) fn transaction_begun_with<T>(
        &mut self,
        on_postgres: &str,
        body: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Postgres(inner) => {
                AnsiTransactionManager::begin_transaction_sql(inner, on_postgres)?;
            }
            Self::Sqlite(inner) => {
                AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN IMMEDIATE")?;
            }
        }
        let result = body(self);
        match &result {
            Ok(_) => both!(self, |inner| AnsiTransactionManager::commit_transaction(inner))?,
            // A rollback fails where the connection broke: the database has rolled back then.
            Err(_) => {
                both!(self, |inner| AnsiTransactionManager::rollback_transaction(inner)).ok();
            }
        }
        result
    }
}

impl AnyConnection {
    /// Runs `body` in a transaction that leaves nothing.
    pub(super) fn rolled_back(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut result = Ok(());
        let end = self.transaction(|connection| {
            result = body(connection);
            Err::<(), _>(StoreError::Unusable(String::new()))
        });
        match end {
            // It did not even begin.
            Err(error @ (StoreError::Away(_) | StoreError::Refused(_))) => Err(error),
            _ => result,
        }
    }
}
