//! A connection that is kept between calls, alone or in a pool: it knows whether its file is still there.
//!
//! Used by the writer and the pools. What is opened for one call is an [`AnyConnection`] alone.

use super::connection::{AnyConnection, both};
use super::database::{Database, Purpose};
use super::error::StoreError;
use super::sqlite;
use super::sqlite_file::FileIdentity;
use diesel::r2d2::{ManageConnection, R2D2Connection as _};
use std::ops::{Deref, DerefMut};

pub(super) struct OpenConnection {
    connection: AnyConnection,
    /// `None`: no file is the database.
    file: Option<FileIdentity>,
}

impl OpenConnection {
    pub(super) fn open(database: &Database, purpose: Purpose) -> Result<Self, StoreError> {
        // Before it is opened: of a file that is replaced meanwhile the old identity is known.
        let file = match database {
            Database::Sqlite(path) => Some(FileIdentity::of(path)?),
            Database::Postgres(_) => None,
        };
        let connection = AnyConnection::open(database, purpose)?;
        Ok(Self { connection, file: file.map(FileIdentity::with_log) })
    }

    /// Fails where the database's file or its log was deleted or replaced: SQLite would go on writing
    /// into one that nobody can open any more. What is in such a log is moved into the file.
    pub(super) fn check_file(&mut self) -> Result<(), StoreError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let checked = file.check();
        if checked.is_err()
            && file.has_lost_log()
            && let AnyConnection::Sqlite(inner) = &mut self.connection
        {
            sqlite::truncate_wal(inner).ok();
        }
        checked
    }

    /// Runs `work`, whose writes count only where the file is in its place after them.
    pub(super) fn run<T>(
        &mut self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.check_file()?;
        let done = work(&mut self.connection)?;
        self.check_file()?;
        Ok(done)
    }
}

impl Deref for OpenConnection {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for OpenConnection {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

/// Opens and checks connections for a pool.
#[derive(Debug)]
pub(super) struct Manager {
    pub(super) database: Database,
    pub(super) purpose: Purpose,
}

impl ManageConnection for Manager {
    type Connection = OpenConnection;
    type Error = StoreError;

    fn connect(&self) -> Result<OpenConnection, StoreError> {
        OpenConnection::open(&self.database, self.purpose)
    }

    fn is_valid(&self, connection: &mut OpenConnection) -> Result<(), StoreError> {
        connection.check_file()?;
        both!(&mut **connection, |inner| inner.ping()).map_err(StoreError::from)
    }

    fn has_broken(&self, connection: &mut OpenConnection) -> bool {
        std::thread::panicking() || both!(&mut **connection, |inner| inner.is_broken())
    }
}
