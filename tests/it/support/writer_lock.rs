//! A lock of the database that keeps the service from writing, until it is dropped.

use super::{Engine, TestDatabase};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection, SqliteConnection};

/// A transaction that is open while this lives. Dropping the connection rolls it back.
pub enum WriterLock {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl WriterLock {
    /// Takes the lock: others can read, and not write users.
    pub fn on(database: &TestDatabase) -> Self {
        match database.engine {
            Engine::Postgres => {
                let mut connection = PgConnection::establish(&database.url()).unwrap();
                let schema = &database.schema;
                let lock = format!("BEGIN; LOCK TABLE {schema}.users IN EXCLUSIVE MODE");
                connection.batch_execute(&lock).unwrap();
                Self::Postgres(connection)
            }
            Engine::Sqlite => {
                let mut connection = database.connect_sqlite();
                connection.batch_execute("BEGIN IMMEDIATE").unwrap();
                Self::Sqlite(connection)
            }
        }
    }

    pub fn release(mut self) {
        match &mut self {
            Self::Postgres(connection) => connection.batch_execute("ROLLBACK").unwrap(),
            Self::Sqlite(connection) => connection.batch_execute("ROLLBACK").unwrap(),
        }
    }
}
