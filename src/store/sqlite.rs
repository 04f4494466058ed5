//! SQLite connections: opening one, and removing deleted bytes from the file. Called by
//! [`super::connection`] and the writer.

use super::database::Purpose;
use super::error::StoreError;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Integer;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection};
use rustix::fs::{Access, access};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How long a connection waits for a lock, in milliseconds: two attempts fit into the time in which
/// a sender is answered.
const BUSY_TIMEOUT_MS: u32 = 2_000;

/// Opens `path`; only a migration creates the file.
///
/// `synchronous=FULL`: an acknowledged commit survives a power cut. `secure_delete`: deleted bytes
/// are overwritten with zeros.
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
         PRAGMA query_only = {query_only};"
    ))?;
    Ok(connection)
}

/// Creates the directory, and an empty file that only this user can read.
fn create(path: &Path) -> Result<(), StoreError> {
    let explain = |error: std::io::Error| unusable(path, &format!("cannot be made: {error}"));
    std::fs::create_dir_all(directory_of(path)).map_err(explain)?;
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(explain)
}

/// Refuses a file, or a directory around it, that this process may not write: SQLite keeps its log
/// beside the file. What does not exist yet is left to [`create`].
pub(super) fn check_access(path: &Path) -> Result<(), StoreError> {
    let beside = |ending: &str| PathBuf::from(format!("{}{ending}", path.display()));
    for file in [path.to_owned(), beside("-wal"), beside("-shm")] {
        if file.exists() {
            let may = access(&file, Access::READ_OK | Access::WRITE_OK);
            may.map_err(|error| unusable(&file, &format!("cannot be written: {error}")))?;
        }
    }
    let directory = directory_of(path);
    if directory.exists() {
        let may = access(directory, Access::WRITE_OK | Access::EXEC_OK);
        may.map_err(|error| {
            let what = format!("needs a log beside it, and no file can be made there: {error}");
            unusable(path, &what)
        })?;
    }
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    let named = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

/// Volumes come as root's, and images run as another user.
fn unusable(file: &Path, what: &str) -> StoreError {
    let uid = rustix::process::geteuid().as_raw();
    StoreError::Unusable(format!(
        "the SQLite file {file} {what}. This process runs as uid {uid}: give it the directory, by `chown -R {uid} \
         {directory}` or on Kubernetes by `fsGroup`, or run it as the directory's owner, or set DATABASE_URL to a path \
         that it may write",
        file = file.display(),
        directory = directory_of(file).display()
    ))
}

/// Which file a path named when it was opened.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl FileIdentity {
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let gone = |error: std::io::Error| {
            let why = if error.kind() == std::io::ErrorKind::NotFound {
                "bring it back, or restart the service, which makes a new one".to_owned()
            } else {
                error.to_string()
            };
            StoreError::Away(format!("there is no file {}: {why}", path.display()))
        };
        let found = std::fs::metadata(path).map_err(gone)?;
        Ok(Self { path: path.to_owned(), device: found.dev(), inode: found.ino() })
    }

    /// Whether the path still names that file.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let now = Self::of(&self.path)?;
        if (now.device, now.inode) == (self.device, self.inode) {
            return Ok(());
        }
        Err(StoreError::Away(format!("the file {} was replaced", self.path.display())))
    }
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
