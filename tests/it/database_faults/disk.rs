//! A disk of the database that can be filled: a small file system where this user may mount one, else
//! a limit of how large the processes' files may grow, which they meet in the same places.

use super::rig::Rig;
use crate::support::{Cluster, Engine, TestDatabase};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub(super) enum Disk {
    Mounted { place: PathBuf, _own: Option<TempDir> },
    Limited,
}

/// Of a SQLite database: less than its log has after a few deliveries, more than its file has.
const MOST_BYTES_OF_A_FILE: u64 = 768 * 1024;

/// Of PostgreSQL: as much as a segment of its write-ahead log, which has to be written.
const MOST_BYTES_OF_A_TABLE: u64 = 16 << 20;

impl Disk {
    /// For a SQLite database, before it is made.
    pub(super) fn under(database: &TestDatabase) -> Self {
        let place = database.sqlite_path().parent().unwrap().to_owned();
        if mount(&place, "8m") { Self::Mounted { place, _own: None } } else { Self::Limited }
    }

    /// For the users of a cluster that runs; each row of them needs a page of its own.
    pub(super) fn below_users(cluster: &Cluster, database: &TestDatabase) -> Self {
        let own = tempfile::tempdir().unwrap();
        let place = own.path().to_owned();
        database.execute("ALTER TABLE users SET (fillfactor = 10, autovacuum_enabled = false)");
        if mount(&place, "2m") {
            let owner = std::fs::metadata(cluster.data_directory()).unwrap();
            chown(&place, Some(owner.uid()), Some(owner.gid())).unwrap();
            let shown = place.display();
            database.execute(&format!("CREATE TABLESPACE small LOCATION '{shown}'"));
            database.execute("ALTER TABLE users SET TABLESPACE small");
            return Self::Mounted { place, _own: Some(own) };
        }
        // Of another source, so that no job looks at them.
        database.execute(
            "INSERT INTO users SELECT (jsonb_populate_record(users, jsonb_build_object( \
                 'id', 'filler-' || number, 'external_id', 'filler-' || number, 'source', 'filler'))).* \
             FROM users, generate_series(1, 2400) AS number WHERE source <> 'filler'",
        );
        let pages = "SELECT (pg_relation_size('users') >= 16777216)::text AS value";
        assert_eq!(database.texts(pages), ["true"]);
        Self::Limited
    }

    pub(super) fn fill(&self, rig: &Rig) {
        match self {
            Self::Mounted { place, .. } => {
                let mut file = std::fs::File::create(place.join("filler")).unwrap();
                while file.write_all(&[1; 4_096]).is_ok() {}
            }
            Self::Limited => limit(rig, true),
        }
    }

    pub(super) fn free(&self, rig: &Rig) {
        match self {
            Self::Mounted { place, .. } => std::fs::remove_file(place.join("filler")).unwrap(),
            Self::Limited => limit(rig, false),
        }
    }
}

/// Only the soft limit, so that any user may lift it again.
fn limit(rig: &Rig, begins: bool) {
    let (pids, most) = match rig.database.engine {
        Engine::Postgres => (rig.cluster().pids(), MOST_BYTES_OF_A_TABLE),
        Engine::Sqlite => (vec![rig.service.pid()], MOST_BYTES_OF_A_FILE),
    };
    let most = if begins { most.to_string() } else { "unlimited".into() };
    for pid in pids {
        let limit = format!("--fsize={most}:");
        // A backend may have ended meanwhile.
        Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).output().unwrap();
    }
}

fn mount(place: &Path, size: &str) -> bool {
    let size = format!("size={size},mode=0700");
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(place).output();
    mount.is_ok_and(|output| output.status.success())
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Mounted { place, .. } = self {
            // What still has files open there keeps it until it ends.
            Command::new("umount").arg("--lazy").arg(place).output().ok();
        }
    }
}
