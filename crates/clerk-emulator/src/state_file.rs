//! The state file: users, issued ids and the private key survive a restart in it.
//!
//! `server` reads it at the start; a [`StateWriter`] replaces it at the start, soon after changes
//! and at the stop. A new file is renamed over the old one, and only its owner may read it.

use crate::EmulatorError;
use crate::instance::Instance;
use crate::user::User;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long changes are gathered before they are written.
const WRITE_AFTER: Duration = Duration::from_millis(200);

#[derive(Serialize, Deserialize)]
pub(crate) struct SavedState {
    pub users: Vec<User>,
    pub issued: Vec<String>,
    pub ids: u64,
    pub events: u64,
    pub private_key: String,
}

/// `None` if there is no file yet.
pub(crate) fn read(path: &Path) -> Result<Option<SavedState>, EmulatorError> {
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

/// Writes the file after each change.
pub(crate) struct StateWriter {
    file: Arc<StateFile>,
    task: JoinHandle<()>,
}

struct StateFile {
    path: PathBuf,
    instance: Arc<Instance>,
    private_key: String,
    /// Held while the state is read and written, so that the last write has the newest state.
    writing: Mutex<()>,
}

impl StateWriter {
    /// Writes once, to find out whether the path can be written, and then after changes.
    pub(crate) fn start(path: PathBuf, instance: Arc<Instance>) -> Result<Self, EmulatorError> {
        let private_key = instance.key.to_text()?;
        let file = Arc::new(StateFile { path, instance, private_key, writing: Mutex::new(()) });
        file.write().map_err(|error| unusable(&file.path, &error))?;
        let task = tokio::spawn(write_after_changes(Arc::clone(&file)));
        Ok(Self { file, task })
    }

    pub(crate) async fn stop(&self) {
        self.task.abort();
        write(&self.file).await;
    }
}

impl Drop for StateWriter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn write_after_changes(file: Arc<StateFile>) {
    loop {
        file.instance.changed.notified().await;
        tokio::time::sleep(WRITE_AFTER).await;
        write(&file).await;
    }
}

async fn write(file: &Arc<StateFile>) {
    let file = Arc::clone(file);
    let written = tokio::task::spawn_blocking(move || file.write()).await;
    if let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) {
        tracing::error!("the emulator's state could not be saved: {error}");
    }
}

impl StateFile {
    fn write(&self) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = {
            let state = self.instance.lock();
            SavedState {
                users: state.directory.all().map(|user| User::clone(&user)).collect(),
                issued: state.directory.issued().collect(),
                ids: state.ids,
                events: state.events,
                private_key: self.private_key.clone(),
            }
        };
        replace_file(&self.path, &serde_json::to_vec(&saved)?)
    }
}

/// Replaces a file, or makes it, with mode 0600; it holds the old bytes or the new ones, whatever
/// happens meanwhile.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(".new");
    // One that a crash left behind may have another mode.
    fs::remove_file(&temporary).ok();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}
