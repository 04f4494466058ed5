//! A file for its owner alone, always whole: written beside the old one, then put in its place.
//!
//! Called by `data_dir` for the variables of `dev` and `demo`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Replaces the file at `path`, or makes it, with mode 0600.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    // One that a crash left behind may have another mode.
    fs::remove_file(&beside).ok();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
