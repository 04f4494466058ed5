//! A test's own database: a schema of the PostgreSQL that `scripts/test` started, or a SQLite
//! file. Removed when its last handle is dropped.

use diesel::connection::SimpleConnection;
use diesel::sql_types::{Nullable, Text};
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Sqlite,
}

impl Engine {
    /// The database's clock, as its timestamps are.
    pub fn clock(self) -> &'static str {
        match self {
            Self::Postgres => "clock_timestamp()",
            Self::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        }
    }
}

#[derive(Clone)]
pub struct TestDatabase {
    pub engine: Engine,
    pub schema: String,
    directory: Arc<TempDir>,
    postgres: Option<Arc<Schema>>,
}

struct Schema {
    url: String,
    name: String,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

impl TestDatabase {
    pub fn new(engine: Engine) -> Self {
        let url = (engine == Engine::Postgres).then(|| {
            std::env::var("USERSYNC_TEST_POSTGRES_URL").expect(
                "these tests need a PostgreSQL: run them with `scripts/test`, which starts a throwaway one, \
                 or set USERSYNC_TEST_POSTGRES_URL",
            )
        });
        Self::at(engine, url)
    }

    pub fn on_server(url: &str) -> Self {
        Self::at(Engine::Postgres, Some(url.to_owned()))
    }

    fn at(engine: Engine, postgres_url: Option<String>) -> Self {
        let schema = format!("test_{}", Uuid::new_v4().simple());
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let schema_of = |url| Arc::new(Schema { url, name: schema.clone() });
        Self { engine, postgres: postgres_url.map(schema_of), schema, directory }
    }

    pub fn url(&self) -> String {
        match &self.postgres {
            Some(schema) => schema.url.clone(),
            None => format!("sqlite://{}", self.sqlite_path().display()),
        }
    }

    pub fn sqlite_path(&self) -> PathBuf {
        self.directory.path().join("usersync.db")
    }

    pub fn execute(&self, sql: &str) {
        self.connect().batch_execute(sql).unwrap();
    }

    pub fn connect(&self) -> Box<dyn SimpleConnection + Send> {
        match &self.postgres {
            Some(schema) => Box::new(schema.connect()),
            None => Box::new(self.connect_sqlite()),
        }
    }

    /// The rows of a query with one text column named `value`.
    pub fn query(&self, sql: &str) -> Vec<Option<String>> {
        let query = diesel::sql_query(sql);
        let rows: Vec<Row> = match &self.postgres {
            Some(schema) => query.load(&mut schema.connect()).unwrap(),
            None => query.load(&mut self.connect_sqlite()).unwrap(),
        };
        rows.into_iter().map(|row| row.value).collect()
    }

    /// The one number of a query like `SELECT count(*) …`, cast to text by the caller or not.
    pub fn count(&self, from: &str) -> usize {
        let rows = self.query(&format!("SELECT CAST(count(*) AS text) AS value FROM {from}"));
        rows[0].as_deref().unwrap().parse().unwrap()
    }

    pub fn connect_sqlite(&self) -> SqliteConnection {
        let path = self.sqlite_path();
        let mut connection = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
        connection
    }
}

impl From<Engine> for TestDatabase {
    fn from(engine: Engine) -> Self {
        Self::new(engine)
    }
}

impl From<&Self> for TestDatabase {
    fn from(database: &Self) -> Self {
        database.clone()
    }
}

impl Schema {
    fn connect(&self) -> PgConnection {
        let mut connection = PgConnection::establish(&self.url).unwrap();
        connection.batch_execute(&format!("SET search_path TO {}", self.name)).unwrap();
        connection
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // The server may be gone, if the test was about that.
        if let Ok(mut connection) = PgConnection::establish(&self.url) {
            connection.batch_execute(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name)).ok();
        }
    }
}

impl TestDatabase {
    pub fn tables(&self) -> Vec<String> {
        self.texts(match self.engine {
            Engine::Postgres => {
                "SELECT table_name::text AS value FROM information_schema.tables \
                 WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' \
                 AND table_name NOT LIKE '\\_\\_%' ORDER BY 1"
            }
            Engine::Sqlite => {
                "SELECT name AS value FROM sqlite_schema WHERE type = 'table' \
                 AND name NOT LIKE '\\_\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY 1"
            }
        })
    }

    /// Every value of every row of every table; bytes are shown as the text that they spell.
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for table in self.tables() {
            for column in self.text_columns(&table) {
                for value in self.texts(&format!("SELECT {column} AS value FROM {table}")) {
                    writeln!(text, "{table}: {value}").unwrap();
                }
            }
        }
        text
    }

    /// The columns of a table, each as an expression of type text.
    fn text_columns(&self, table: &str) -> Vec<String> {
        let text = |(name, kind): (String, String)| match kind.trim_end_matches('?') {
            "bytea" => format!("encode({name}, 'escape')"),
            "BLOB" if name.ends_with("digest") => format!("hex({name})"),
            _ => format!("CAST(\"{name}\" AS text)"),
        };
        self.columns(table).into_iter().map(text).collect()
    }

    /// The columns of a table or view in their order: name, and type with `?` where it may be null.
    pub fn columns(&self, table: &str) -> Vec<(String, String)> {
        let columns = self.texts(&match self.engine {
            Engine::Postgres => format!(
                "SELECT column_name || ' ' || data_type || CASE is_nullable WHEN 'YES' THEN '?' ELSE '' END AS value \
                 FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
            ),
            Engine::Sqlite => format!(
                "SELECT name || ' ' || type || CASE \"notnull\" WHEN 0 THEN '?' ELSE '' END AS value \
                 FROM pragma_table_info('{table}') ORDER BY cid"
            ),
        });
        let parts = columns.iter().map(|column| column.split_once(' ').unwrap());
        parts.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
    }

    /// The lines of a dump that begin with one of these words, sorted.
    pub fn dump_of(&self, tables: &[&str]) -> Vec<String> {
        self.sorted_dump(|line| tables.iter().any(|table| line.starts_with(table)))
    }

    /// All other lines.
    pub fn dump_but(&self, tables: &[&str]) -> Vec<String> {
        self.sorted_dump(|line| !tables.iter().any(|table| line.starts_with(table)))
    }

    fn sorted_dump(&self, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
        let dump = self.dump();
        let mut lines: Vec<String> =
            dump.lines().filter(|line| is_meant(line)).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    /// Makes the database refuse new users with this value in a column.
    pub fn refuse_users(&self, column: &str, value: &str) {
        self.execute(&match self.engine {
            Engine::Postgres => {
                format!("ALTER TABLE users ADD CONSTRAINT refused CHECK ({column} <> '{value}')")
            }
            Engine::Sqlite => format!(
                "CREATE TRIGGER refused BEFORE INSERT ON users WHEN NEW.{column} = '{value}' \
                 BEGIN SELECT RAISE(ABORT, '{value} is refused'); END"
            ),
        });
    }

    pub fn refuse_no_users(&self) {
        self.execute(match self.engine {
            Engine::Postgres => "ALTER TABLE users DROP CONSTRAINT refused",
            Engine::Sqlite => "DROP TRIGGER refused",
        });
    }
}
