//! SQLite connections: opening one, and removing deleted bytes from the file. Called by
//! [`super::connection`] and the writer.

use super::database::Purpose;
use super::error::StoreError;
use super::sqlite_file::{FileIdentity, create};
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Integer;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection};
use std::path::Path;

/// How long a connection waits for a lock, in milliseconds: two attempts fit into the time in which
/// a sender is answered.
const BUSY_TIMEOUT_MS: u32 = 2_000;

/// Opens `path`; only a migration creates the file.
///
/// `synchronous=FULL`: an acknowledged commit survives a power cut. `secure_delete`: deleted bytes
/// are overwritten with zeros. The read at the end opens the log.
pub(super) fn open(path: &Path, purpose: Purpose) -> Result<SqliteConnection, StoreError> {
    if purpose == Purpose::Migrate {
        create(path)?;
    } else {
        // Opening would create an empty file.
        FileIdentity::of(path)?;
    }
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
    let query_only = u8::from(matches!(purpose, Purpose::Read | Purpose::Inspect));
    connection.batch_execute(&format!(
        "PRAGMA busy_timeout = {BUSY_TIMEOUT_MS};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -8000;
         PRAGMA query_only = {query_only};
         SELECT count(*) FROM sqlite_schema;"
    ))?;
    Ok(connection)
}

#[derive(QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = Integer)]
    busy: i32,
}

/// Moves the WAL into the database file and truncates it, without waiting. Returns whether that was
/// possible: an open reader prevents it, and then the bytes of deleted rows are still in the WAL.
pub(super) fn truncate_wal(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    connection.batch_execute("PRAGMA busy_timeout = 0")?;
    let result: Result<Checkpoint, _> =
        diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(connection);
    connection.batch_execute(&format!("PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}"))?;
    match result.map_err(StoreError::from) {
        Ok(checkpoint) => Ok(checkpoint.busy == 0),
        Err(StoreError::Away(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
