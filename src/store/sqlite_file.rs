//! The SQLite file and its log on disk: makes the file, and says whether this process may write there and
//! whether what was opened is still what the path names.
//!
//! Called by [`super::sqlite`], [`super::connection`] and the checks at start. Reads and writes nothing of
//! what is in them.

use super::error::StoreError;
use rustix::fs::{Access, access};
use std::collections::BTreeSet;
use std::fs::{Metadata, OpenOptions, create_dir_all, metadata};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

const LOG: &str = "-wal";

fn beside(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", path.display()))
}

fn directory_of(path: &Path) -> &Path {
    let named = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

/// Creates the directory, and an empty file that only this user can read.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    let explain = |error: Error| unusable(path, &format!("cannot be made: {error}"));
    create_dir_all(directory_of(path)).map_err(explain)?;
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options.open(path).map(drop).map_err(explain)
}

/// Refuses a file, or a directory around it, that this process may not write: SQLite keeps its log
/// beside the file. What does not exist yet is left to [`create`].
pub(super) fn check_access(path: &Path) -> Result<(), StoreError> {
    for file in [path.to_owned(), beside(path, LOG), beside(path, "-shm")] {
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

/// Files whose log was deleted while they were open here. SQLite keeps one index of the log for all
/// connections of a process, so a connection that made a new log would be told of frames that are not
/// in it: only another process can begin anew.
static LOST_LOGS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn lost_logs() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    LOST_LOGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which file and which log a path named when they were opened.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    file: (u64, u64),
    log: Option<(u64, u64)>,
}

fn numbers(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

impl FileIdentity {
    /// Of a path that is about to be opened.
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        if lost_logs().contains(path) {
            return Err(log_lost(path));
        }
        let found = metadata(path).map_err(|error| missing(path, &error))?;
        Ok(Self { path: path.to_owned(), file: numbers(&found), log: None })
    }

    /// Once it is open and was read: from then on SQLite neither deletes nor replaces the log.
    pub(super) fn with_log(self) -> Self {
        let log = metadata(beside(&self.path, LOG)).ok();
        Self { log: log.as_ref().map(numbers), ..self }
    }

    /// Whether the path still names what was opened.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if Self::of(&self.path)?.file != self.file {
            return Err(StoreError::Away(format!("the file {} was replaced", self.path.display())));
        }
        let is_lost = |log: &(u64, u64)| {
            let found = metadata(beside(&self.path, LOG));
            !found.is_ok_and(|found| numbers(&found) == *log)
        };
        if self.log.as_ref().is_some_and(is_lost) {
            lost_logs().insert(self.path.clone());
            return Err(log_lost(&self.path));
        }
        Ok(())
    }

    pub(super) fn has_lost_log(&self) -> bool {
        lost_logs().contains(&self.path)
    }
}

fn missing(path: &Path, error: &Error) -> StoreError {
    let why = match error.kind() {
        ErrorKind::NotFound => {
            "bring it back, or restart the service, which makes a new one".into()
        }
        _ => error.to_string(),
    };
    StoreError::Away(format!("there is no file {}: {why}", path.display()))
}

fn log_lost(path: &Path) -> StoreError {
    StoreError::Away(format!(
        "the log beside {} was deleted; what it held was moved into the file; restart the service",
        path.display()
    ))
}
