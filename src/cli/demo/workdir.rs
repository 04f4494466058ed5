//! The directory of a demo's database: temporary unless `--data` names one.
//!
//! Opened by `demo` first and dropped last.

use super::super::Failure;
use super::super::data_dir::DataDir;
use std::fs;
use std::path::PathBuf;
use uuid::Uuid;

pub(super) struct Workdir {
    pub(super) data: DataDir,
    /// Removed with all its files on drop.
    temporary: Option<PathBuf>,
}

impl Workdir {
    /// The directory asked for, which must hold no database yet; else a temporary one.
    pub(super) fn open(asked: Option<PathBuf>, keep: bool) -> Result<Self, Failure> {
        if let Some(directory) = asked {
            let data = DataDir::open(directory)?;
            if data.file("usersync.db").exists() || data.env_file().exists() {
                let text =
                    "the directory of --data is in use already, and a demo needs an empty one";
                return Err(Failure::Message(text.into()));
            }
            return Ok(Self { data, temporary: None });
        }
        let name = format!("usersync-demo-{}", Uuid::new_v4().simple());
        let directory = std::env::temp_dir().join(name);
        let data = DataDir::open(directory.clone())?;
        Ok(Self { data, temporary: (!keep).then_some(directory) })
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        if let Some(directory) = &self.temporary {
            fs::remove_dir_all(directory).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Workdir;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_temporary_directory_is_removed_and_a_named_one_stays() {
        let workdir = Workdir::open(None, false).unwrap();
        let temporary = workdir.temporary.clone().unwrap();
        assert!(temporary.exists());
        drop(workdir);
        assert!(!temporary.exists());

        let asked = tempfile::tempdir().unwrap();
        fs::set_permissions(asked.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let workdir = Workdir::open(Some(asked.path().to_owned()), false).unwrap();
        fs::write(workdir.data.file("usersync.db"), "").unwrap();
        drop(workdir);
        assert!(asked.path().join("usersync.db").exists());
        assert!(Workdir::open(Some(asked.path().to_owned()), true).is_err());
    }
}
