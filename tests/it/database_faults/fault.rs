//! The faults: how each begins and ends, and what the log calls it.

use super::disk::Disk;
use super::rig::Rig;
use crate::support::{Engine, TestDatabase, until_true};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// `LOCK TABLE users`, as `VACUUM FULL` takes it.
    TableLocked,
    /// The server takes connections, and answers nothing.
    ServerHangs,
    ServerReadOnly,
    SchemaGone,
    RightsRevoked,
    ServerDiskFull,
    /// `BEGIN EXCLUSIVE`, as another process that writes for long.
    FileLocked,
    FileGone,
    /// Another file has its name, as a backup that is moved there.
    FileReplaced,
    FileDiskFull,
}

/// Ends a fault.
pub(super) type End = Box<dyn FnOnce(&Rig)>;

impl Fault {
    pub(super) fn engine(self) -> Engine {
        match self {
            Self::FileLocked | Self::FileGone | Self::FileReplaced | Self::FileDiskFull => {
                Engine::Sqlite
            }
            _ => Engine::Postgres,
        }
    }

    /// What the log may give as the reason.
    pub(super) fn words(self) -> &'static [&'static str] {
        match self {
            Self::TableLocked => &["55P03, another session holds a lock"],
            Self::ServerHangs => &["does not answer"],
            Self::ServerReadOnly => &["25006, the server is read-only"],
            Self::SchemaGone => &["42P01, a table is not there", "3F000", "is not there"],
            Self::RightsRevoked => &["42501, rights are missing"],
            Self::ServerDiskFull => {
                &["53100, the disk is full", "58030, a file of the server cannot grow"]
            }
            // Writers of this process wait for each other, too.
            Self::FileLocked => &["database is locked", "does not answer"],
            Self::FileGone => &["there is no file"],
            Self::FileReplaced => &["was replaced", "no such table"],
            Self::FileDiskFull => &["database or disk is full", "disk I/O error"],
        }
    }

    pub(super) async fn begin(self, rig: &Rig) -> End {
        let (database, schema) = (&rig.database, rig.database.schema.clone());
        match self {
            Self::TableLocked => {
                let mut lock = database.connect();
                lock.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").unwrap();
                Box::new(move |_| drop(lock))
            }
            Self::ServerHangs => {
                rig.cluster().suspend();
                Box::new(|rig| rig.cluster().resume())
            }
            Self::ServerReadOnly => {
                set_read_only(database, "on");
                let shown = "SELECT current_setting('default_transaction_read_only') AS value";
                until_true("the setting is read", async || database.texts(shown) == ["on"]).await;
                Box::new(|rig| set_read_only(&rig.database, "off"))
            }
            Self::SchemaGone => {
                database.execute(&format!("ALTER SCHEMA {schema} RENAME TO gone"));
                Box::new(move |rig| {
                    rig.database.execute(&format!("ALTER SCHEMA gone RENAME TO {schema}"));
                })
            }
            Self::RightsRevoked => {
                database.execute("REVOKE ALL ON users FROM service");
                Box::new(|rig| rig.database.execute("GRANT ALL ON users TO service"))
            }
            Self::FileLocked => {
                let mut lock = database.connect();
                lock.batch_execute("BEGIN EXCLUSIVE").unwrap();
                Box::new(move |_| drop(lock))
            }
            Self::FileGone => {
                move_away(database);
                Box::new(|rig| move_back(&rig.database))
            }
            Self::FileReplaced => {
                move_away(database);
                std::fs::write(database.sqlite_path(), "").unwrap();
                Box::new(|rig| {
                    remove_beside(&rig.database);
                    move_back(&rig.database);
                })
            }
            Self::ServerDiskFull | Self::FileDiskFull => {
                rig.disk().fill(rig);
                until_true("nothing fits any more", async || rig.deliver().await.status == 503)
                    .await;
                Box::new(|rig| rig.disk().free(rig))
            }
        }
    }
}

fn set_read_only(database: &TestDatabase, value: &str) {
    let mut session = database.connect();
    let set = format!("ALTER SYSTEM SET default_transaction_read_only TO {value}");
    for statement in ["SET default_transaction_read_only TO off", &set, "SELECT pg_reload_conf()"] {
        session.batch_execute(statement).unwrap();
    }
}

/// The database's files, and where a test keeps them meanwhile.
fn places(database: &TestDatabase) -> [(PathBuf, PathBuf); 3] {
    let path = database.sqlite_path();
    ["", "-wal", "-shm"].map(|ending| {
        let name = format!("usersync.db{ending}");
        (path.with_file_name(&name), path.with_file_name(format!("kept-{name}")))
    })
}

/// All of them at once, as far as others can see, by the last.
fn move_away(database: &TestDatabase) {
    for (place, kept) in places(database) {
        std::fs::rename(place, kept).unwrap();
    }
}

fn move_back(database: &TestDatabase) {
    for (place, kept) in places(database).into_iter().rev() {
        std::fs::rename(kept, place).unwrap();
    }
}

/// Removes what was made in their place.
fn remove_beside(database: &TestDatabase) {
    for (place, _) in places(database) {
        std::fs::remove_file(place).ok();
    }
}

impl Rig {
    pub(super) fn disk(&self) -> &Disk {
        self.disk.as_ref().unwrap()
    }
}
