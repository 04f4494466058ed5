//! Where a demo keeps its database: a directory that vanishes with it, unless it was asked for.
//!
//! Made by `demo` before anything else, and dropped after everything else.

use super::super::Failure;
use super::super::data_dir::DataDir;
use std::fs;
use std::path::PathBuf;
use uuid::Uuid;

pub(super) struct Place {
    pub(super) data: DataDir,
    /// What is removed at the end.
    temporary: Option<PathBuf>,
}

impl Place {
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

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(directory) = &self.temporary {
            fs::remove_dir_all(directory).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_temporary_place_vanishes_and_one_that_was_asked_for_stays() {
        let place = Place::open(None, false).unwrap();
        let temporary = place.temporary.clone().unwrap();
        assert!(temporary.exists());
        drop(place);
        assert!(!temporary.exists());

        let asked = tempfile::tempdir().unwrap();
        fs::set_permissions(asked.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let place = Place::open(Some(asked.path().to_owned()), false).unwrap();
        fs::write(place.data.file("usersync.db"), "").unwrap();
        drop(place);
        assert!(asked.path().join("usersync.db").exists());
        assert!(Place::open(Some(asked.path().to_owned()), true).is_err());
    }
}
