//! A lock of the database that keeps the service from writing, until it is dropped.

use super::{Engine, TestDatabase};
use diesel::connection::SimpleConnection;

/// A transaction that is open while this lives. Dropping the connection rolls it back.
pub struct WriterLock(Box<dyn SimpleConnection + Send>);

impl WriterLock {
    /// Takes the lock: others can read, and not write users.
    pub fn on(database: &TestDatabase) -> Self {
        let mut connection = database.connect();
        let lock = match database.engine {
            Engine::Postgres => "BEGIN; LOCK TABLE users IN EXCLUSIVE MODE",
            Engine::Sqlite => "BEGIN IMMEDIATE",
        };
        connection.batch_execute(lock).unwrap();
        Self(connection)
    }

    pub fn release(mut self) {
        self.0.batch_execute("ROLLBACK").unwrap();
    }
}
