//! The only module that knows diesel and SQL. Each function works on PostgreSQL and on SQLite.
//!
//! [`Store`] is called by `sync`, `http` and `cli`, and works off the async threads; a [`Writer`]
//! belongs to `ingest`, which commits batches through it. Policies are decided in `domain`; decided
//! here are the order of snapshots, by the guard of the upsert, and each delivery's outcome.
//!
//! * [`batch`]: one transaction for many deliveries;
//! * [`changes`]: fetched snapshots and overrides, beside the writer; [`imports`]: rows of a file;
//! * [`write_backs`], [`absences`], [`budget`], [`user_calls`], [`instance_pins`]: what concerns the
//!   provider's API;
//! * [`jobs`]: jobs and their progress; [`leases`]: recurring work;
//! * [`quarantine`], [`users`], [`stored_user`], [`retention`]: rows that are read and deleted;
//! * [`migrations`], [`schema`], [`types`]: the tables;
//! * [`database`], [`connection`], [`open_connection`], [`postgres`], [`pooler`], [`sqlite`],
//!   [`sqlite_file`]: connections; [`rights`]: those that the service needs; [`clock`]: the
//!   database's; [`error`]: errors by what a caller can do.

pub mod absences;
pub mod batch;
pub mod budget;
mod changes;
mod clock;
mod connection;
mod database;
mod error;
mod imports;
mod instance_pins;
pub mod jobs;
pub mod leases;
mod migrations;
mod open_connection;
mod pooler;
mod postgres;
mod probe;
pub mod quarantine;
mod retention;
mod rights;
mod row_defaults;
pub mod schema;
mod sqlite;
mod sqlite_file;
mod stored_user;
pub mod types;
pub mod user_calls;
mod users;
pub mod write_backs;
mod writer;

pub use changes::OverrideError;
pub use clock::Clock;
pub use database::{Database, PostgresTarget};
pub use error::StoreError;
pub use row_defaults::{RowDefaults, UserIds};
pub use stored_user::StoredUser;
pub use users::{USER_FIELDS, UserFilter, UserRecord};
use writer::WalState;
pub use writer::Writer;

use crate::domain::Timestamp;
use connection::{AnyConnection, WriteLock};
use database::Purpose;
use diesel::r2d2::{Pool, PooledConnection};
use open_connection::Manager;
use std::sync::Arc;
use std::time::{Duration, Instant};

const READ_POOL_SIZE: u32 = 8;

/// Connections that write beside the writer's.
const WRITE_POOL_SIZE: u32 = 4;

/// How long a caller waits for a free connection.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a caller waits for a read: for a connection, and for a statement as long as one may
/// take, and a little more.
const READ_TIMEOUT: Duration = Duration::from_secs(8);

/// The database, for every caller but the writer of deliveries.
#[derive(Clone)]
pub struct Store {
    database: Database,
    readers: Pool<Manager>,
    writers: Pool<Manager>,
    write_lock: WriteLock,
    wal: Arc<WalState>,
    clock: Clock,
}

impl Store {
    /// Prepares for `database` without connecting to it.
    pub fn new(database: &Database) -> Self {
        let write_lock = WriteLock::of(database);
        let (readers, writers) = (
            pool(database, Purpose::Read, READ_POOL_SIZE),
            pool(database, Purpose::Write, WRITE_POOL_SIZE),
        );
        let wal = Arc::default();
        let clock = Clock::default();
        Self { database: database.clone(), readers, writers, write_lock, wal, clock }
    }

    /// Goes by this clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// By the database's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A writer of its own connection, which it opens when it is first used.
    pub fn writer(&self) -> Writer {
        Writer::of(self)
    }

    /// Brings the schema up to date; returns how many migrations ran. Blocks.
    pub fn migrate(&self) -> Result<usize, StoreError> {
        migrations::run(&self.database)
    }

    /// Whether the schema is as this release needs it. Blocks.
    pub fn is_current(&self) -> Result<bool, StoreError> {
        migrations::is_current(&self.database)
    }

    /// Refuses a database that cannot be worked with whatever its schema: a pooler that mixes
    /// up sessions, a standby, or a file that may not be written. Blocks.
    pub fn check_server(&self) -> Result<(), StoreError> {
        match &self.database {
            Database::Postgres(target) => postgres::check_server(target),
            Database::Sqlite(path) => sqlite_file::check_access(path),
        }
    }

    /// Checks that a session of the writer's can be opened in the schema, with every right that the
    /// service needs, and sets the clock. Blocks.
    pub fn check_schema(&self) -> Result<(), StoreError> {
        let mut connection = AnyConnection::open(&self.database, Purpose::Write)?;
        if let AnyConnection::Postgres(inner) = &mut connection {
            rights::check_tables(inner)?;
        }
        connection.read_clock(&self.clock).map(drop)
    }

    /// How long deleted bytes may have been left in SQLite's WAL.
    pub fn wal_dirty_for(&self) -> Option<Duration> {
        self.wal.dirty_for()
    }

    /// Whether users could be written now. Waits two seconds at most.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let (writers, write_lock) = (self.writers.clone(), self.write_lock.clone());
        call(CHECKOUT_TIMEOUT, move || {
            let mut connection = checkout(&writers)?;
            let _guard = write_lock.wait();
            probe::check_users(&mut connection)
        })
        .await
    }

    /// The user of the row's id, or else of the provider's.
    pub async fn find_user(&self, id: String) -> Result<Option<UserRecord>, StoreError> {
        self.read(move |connection| users::find(connection, &id)).await
    }

    /// Up to `limit` users after the id `after`, in the order of ids.
    pub async fn list_users(
        &self,
        filter: UserFilter,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<UserRecord>, StoreError> {
        self.read(move |connection| users::list(connection, &filter, after.as_deref(), limit)).await
    }

    pub async fn find_external(
        &self,
        source: &'static str,
        external_id: String,
    ) -> Result<Option<UserRecord>, StoreError> {
        self.read(move |connection| users::find_external(connection, source, &external_id)).await
    }

    /// The columns of a user that write-back and absences need.
    pub async fn stored_user(
        &self,
        source: &'static str,
        external_id: String,
    ) -> Result<Option<StoredUser>, StoreError> {
        self.read(move |connection| stored_user::find(connection, source, &external_id)).await
    }

    pub async fn count_live_users(&self, source: &'static str) -> Result<i64, StoreError> {
        self.read(move |connection| users::count_live(connection, source)).await
    }

    /// Quarantined deliveries, oldest first.
    pub async fn list_quarantined(
        &self,
        limit: i64,
    ) -> Result<Vec<quarantine::QuarantineRecord>, StoreError> {
        self.read(move |connection| quarantine::list(connection, limit)).await
    }

    pub async fn quarantined_body(
        &self,
        source: &'static str,
        message_id: String,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(move |connection| quarantine::body(connection, source, &message_id)).await
    }

    pub async fn quarantined_bytes(&self) -> Result<i64, StoreError> {
        self.read(quarantine::stored_bytes).await
    }

    /// Runs `work` on a read connection, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.readers.clone();
        call(READ_TIMEOUT, move || {
            let mut connection = checkout(&readers)?;
            let started = Instant::now();
            work(&mut connection).map_err(|error| error.after(started.elapsed()))
        })
        .await
    }
}

/// Runs `work` off the async threads, and waits `timeout` for it: the time limits of a session end
/// nothing on a server that hangs. What is given up may still go on, and holds its connection.
async fn call<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::time::timeout(timeout, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(StoreError::Refused("a call of the database panicked".into())),
        Err(_) => Err(StoreError::Away("it does not answer".into())),
    }
}

/// A pool that connects when a connection is needed.
fn pool(database: &Database, purpose: Purpose, most: u32) -> Pool<Manager> {
    Pool::builder()
        .max_size(most)
        .min_idle(Some(0))
        .connection_timeout(CHECKOUT_TIMEOUT)
        .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
        .build_unchecked(Manager { database: database.clone(), purpose })
}

fn checkout(pool: &Pool<Manager>) -> Result<PooledConnection<Manager>, StoreError> {
    pool.get().map_err(|error| {
        StoreError::Away(format!("no connection could be had; check DATABASE_URL: {error}"))
    })
}
