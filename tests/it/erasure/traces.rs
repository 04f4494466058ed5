//! Where a person may leave traces, as text that can be searched.

use super::person::MARK;
use crate::support::{Engine, TestDatabase};
use std::path::PathBuf;
use std::process::Command;

pub struct Trace {
    pub place: &'static str,
    content: String,
}

impl Trace {
    /// Whether the mark is there: as text, or as bytes written in hexadecimal, which is how a
    /// dump of PostgreSQL writes bodies.
    pub fn holds_mark(&self) -> bool {
        let hex: Vec<String> = MARK.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.content.contains(MARK) || self.content.contains(&hex.concat())
    }
}

/// Every place that holds the person while it is live.
pub fn everywhere(database: &TestDatabase) -> Vec<Trace> {
    let trace = |place, content| Trace { place, content };
    match database.engine {
        Engine::Postgres => {
            vec![trace("the tables", database.dump()), trace("the dump", pg_dump(database))]
        }
        Engine::Sqlite => {
            vec![trace("the tables", database.dump()), trace("the files", files(database))]
        }
    }
}

/// Makes the planner look at the tables, as autovacuum would.
pub fn refresh_statistics(database: &TestDatabase) {
    if database.engine == Engine::Postgres {
        database.execute("ANALYZE");
        let known = statistics(database);
        assert!(known.contains("clerk"), "there are no statistics: {known}");
    }
}

pub fn statistics(database: &TestDatabase) -> String {
    if database.engine == Engine::Sqlite {
        return String::new();
    }
    let sql = format!(
        "SELECT pg_stats::text AS value FROM pg_stats WHERE schemaname = '{}'",
        database.schema
    );
    database.query(&sql).into_iter().flatten().collect()
}

/// The bytes of the SQLite file, its log and its index of the log.
pub fn files(database: &TestDatabase) -> String {
    let path = database.sqlite_path();
    let bytes = ["", "-wal", "-shm"].map(|suffix| {
        let path = PathBuf::from(format!("{}{suffix}", path.display()));
        std::fs::read(path).unwrap_or_default()
    });
    String::from_utf8_lossy(&bytes.concat()).into_owned()
}

fn pg_dump(database: &TestDatabase) -> String {
    let output = Command::new(newest_pg_dump())
        .args(["--schema", &database.schema, &database.url()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The newest `pg_dump` there is: an older one refuses a newer server.
fn newest_pg_dump() -> PathBuf {
    let directories = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = directories
        .map(|entry| entry.unwrap().path().join("bin/pg_dump"))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from("pg_dump"))
}
