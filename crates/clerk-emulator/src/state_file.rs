//! What survives a restart: users, issued ids and the private key, in one file.
//!
//! Read once at the start; written at the start, soon after changes and at the stop, always
//! whole: beside the old one, then in its place. Only its owner may read it.

use super::EmulatorError;
use super::instance::Instance;
use super::user::User;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long changes are gathered before they are written.
const GATHERED_FOR: Duration = Duration::from_millis(200);

/// What an earlier run kept.
#[derive(Deserialize)]
pub(super) struct SavedState {
    pub users: Vec<User>,
    pub issued: Vec<String>,
    pub ids: u64,
    pub events: u64,
    pub private_key: String,
}

/// The same on its way into the file.
#[derive(Serialize)]
pub(super) struct SavedStateRef<'a> {
    pub users: Vec<&'a User>,
    pub issued: &'a [String],
    pub ids: u64,
    pub events: u64,
    pub private_key: &'a str,
}

/// Reads the file, where there is one.
pub(super) fn read(path: &Path) -> Result<Option<SavedState>, EmulatorError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, &error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> EmulatorError {
    EmulatorError::State(path.to_owned(), error.to_string())
}

/// Writes the state of a instance again and again.
pub(super) struct StateWriter {
    file: Arc<File>,
    task: JoinHandle<()>,
}

struct File {
    path: PathBuf,
    instance: Arc<Instance>,
    private_key: String,
    /// Whoever writes holds this, and looks at the instance only then: so the last one to write
    /// writes the newest.
    writing: Mutex<()>,
}

impl StateWriter {
    /// Writes for the first time, to find out whether that works, and then after changes.
    pub(super) fn start(path: PathBuf, instance: Arc<Instance>) -> Result<Self, EmulatorError> {
        let private_key = instance.key().to_text()?;
        let file = Arc::new(File { path, instance, private_key, writing: Mutex::new(()) });
        file.save().map_err(|error| unusable(&file.path, &error))?;
        let task = tokio::spawn(keep_saving(Arc::clone(&file)));
        Ok(Self { file, task })
    }

    /// Writes for the last time.
    pub(super) async fn stop(&self) {
        self.task.abort();
        save(&self.file).await;
    }
}

impl Drop for StateWriter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep_saving(file: Arc<File>) {
    loop {
        file.instance.changed().await;
        tokio::time::sleep(GATHERED_FOR).await;
        save(&file).await;
    }
}

async fn save(file: &Arc<File>) {
    let file = Arc::clone(file);
    let saved = tokio::task::spawn_blocking(move || file.save()).await;
    if let Err(error) = saved.unwrap_or_else(|error| Err(io::Error::other(error))) {
        tracing::error!("the emulator's state could not be saved: {error}");
    }
}

impl File {
    fn save(&self) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.instance.snapshot();
        let writing = SavedStateRef {
            users: snapshot.users.iter().map(AsRef::as_ref).collect(),
            issued: &snapshot.issued,
            ids: snapshot.ids,
            events: snapshot.events,
            private_key: &self.private_key,
        };
        replace(&self.path, &serde_json::to_vec(&writing)?)
    }
}

/// Replaces the file, or makes it, with mode 0600.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    // One that a crash left behind may have another mode.
    fs::remove_file(&beside).ok();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
