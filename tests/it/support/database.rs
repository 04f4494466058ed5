//! A database of a test's own: a schema of the PostgreSQL that `scripts/test` started, or a
//! SQLite file. Gone when dropped.

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{Nullable, Text};
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection};
use std::path::PathBuf;
use tempfile::TempDir;
use uuid::Uuid;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Sqlite,
}

pub struct TestDatabase {
    pub engine: Engine,
    pub schema: String,
    directory: TempDir,
    postgres_url: Option<String>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

impl TestDatabase {
    /// A new, empty database.
    pub fn new(engine: Engine) -> Self {
        let url = (engine == Engine::Postgres).then(|| {
            std::env::var("USERSYNC_TEST_POSTGRES_URL").expect(
                "these tests need a PostgreSQL: run them with `scripts/test`, which starts a throwaway one, \
                 or set USERSYNC_TEST_POSTGRES_URL",
            )
        });
        Self::at(engine, url)
    }

    /// A new schema on the given server.
    pub fn on_server(url: &str) -> Self {
        Self::at(Engine::Postgres, Some(url.to_owned()))
    }

    fn at(engine: Engine, postgres_url: Option<String>) -> Self {
        let schema = format!("test_{}", Uuid::new_v4().simple());
        let directory = tempfile::tempdir().unwrap();
        Self { engine, schema, directory, postgres_url }
    }

    /// What `DATABASE_URL` is to be.
    pub fn url(&self) -> String {
        match &self.postgres_url {
            Some(url) => url.clone(),
            None => format!("sqlite://{}", self.sqlite_path().display()),
        }
    }

    /// Where the SQLite file is.
    pub fn sqlite_path(&self) -> PathBuf {
        self.directory.path().join("usersync.db")
    }

    /// Runs statements.
    pub fn execute(&self, sql: &str) {
        match &self.postgres_url {
            Some(url) => self.connect_postgres(url).batch_execute(sql).unwrap(),
            None => self.connect_sqlite().batch_execute(sql).unwrap(),
        }
    }

    /// The rows of a query with one text column named `value`.
    pub fn query(&self, sql: &str) -> Vec<Option<String>> {
        let query = diesel::sql_query(sql);
        let rows: Vec<Row> = match &self.postgres_url {
            Some(url) => query.load(&mut self.connect_postgres(url)).unwrap(),
            None => query.load(&mut self.connect_sqlite()).unwrap(),
        };
        rows.into_iter().map(|row| row.value).collect()
    }

    /// The one number of a query like `SELECT count(*) …`, cast to text by the caller or not.
    pub fn count(&self, from: &str) -> usize {
        let rows = self.query(&format!("SELECT CAST(count(*) AS text) AS value FROM {from}"));
        rows[0].as_deref().unwrap().parse().unwrap()
    }

    /// A connection of SQLite that a test holds open.
    pub fn connect_sqlite(&self) -> SqliteConnection {
        let path = self.sqlite_path();
        let mut connection = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
        connection
    }

    fn connect_postgres(&self, url: &str) -> PgConnection {
        let mut connection = PgConnection::establish(url).unwrap();
        connection.batch_execute(&format!("SET search_path TO {}", self.schema)).unwrap();
        connection
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(url) = &self.postgres_url else {
            return;
        };
        // The server may be gone, if the test was about that.
        if let Ok(mut connection) = PgConnection::establish(url) {
            connection
                .batch_execute(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema))
                .ok();
        }
    }
}
