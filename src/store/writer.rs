//! The writer's connection: opened when needed, dropped when broken, opened again.
//!
//! Owned by `ingest`, one a process; `Store::truncate_wal` opens a second one for a moment. Blocks;
//! never called on an async thread.

use super::batch::{self, Batch, DeliveryResult};
use super::connection::{AnyConnection, WriteLock};
use super::database::{Database, Purpose};
use super::error::StoreError;
use super::open_connection::OpenConnection;
use super::quarantine::{self, Admission, QuarantineEntry};
use super::{Clock, Store, probe, retention, sqlite, write_backs};
use crate::domain::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub struct Writer {
    database: Database,
    connection: Option<OpenConnection>,
    write_lock: WriteLock,
    wal: Arc<WalState>,
    clock: Clock,
}

/// Since when deleted bytes may be left in SQLite's WAL, of any connection of this process.
#[derive(Debug, Default)]
pub(super) struct WalState(Mutex<Option<Instant>>);

impl WalState {
    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn dirty_for(&self) -> Option<Duration> {
        self.since().map(|since| since.elapsed())
    }
}

impl Writer {
    pub(super) fn of(store: &Store) -> Self {
        Self {
            database: store.database.clone(),
            connection: None,
            write_lock: store.write_lock.clone(),
            wal: Arc::clone(&store.wal),
            clock: store.clock.clone(),
        }
    }

    /// By the database's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Commits a batch in one transaction and returns one result a delivery, in their order. After
    /// an error nothing is known to be committed, and everything may be repeated.
    pub fn commit(&mut self, batch: &Batch<'_>) -> Result<Vec<DeliveryResult>, StoreError> {
        self.with(|connection| {
            if let AnyConnection::Postgres(inner) = connection {
                let written = batch::postgres::commit(inner, batch)?;
                raise_sign_ins(connection, batch, &written.newer_sign_ins)?;
                return Ok(written.results);
            }
            connection.transaction(|connection| {
                let AnyConnection::Sqlite(inner) = connection else {
                    return Ok(Vec::new());
                };
                let written = batch::sqlite::write(inner, batch)?;
                raise_sign_ins(connection, batch, &written.newer_sign_ins)?;
                Ok(written.results)
            })
        })
    }

    /// Writes a row that no user could have, and rolls back: where that is refused, every row is.
    pub fn try_out(&mut self, source: &str) -> Result<(), StoreError> {
        let now = self.now();
        self.with(|connection| {
            connection.rolled_back(|inner| probe::write_user(inner, source, now))
        })
    }

    /// Whether a user's row fits, and a commit succeeds: of a note of this replica's, as small as
    /// can be. A trigger that refuses the row says nothing about either.
    pub fn check_writable(&mut self, source: &str) -> Result<(), StoreError> {
        match self.try_out(source) {
            Ok(()) | Err(StoreError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        let now = self.now();
        self.with(|connection| connection.transaction(|inner| probe::write_note(inner, now)))
    }

    /// Quarantines a delivery, in one transaction.
    pub fn quarantine(&mut self, entry: &QuarantineEntry<'_>) -> Result<Admission, StoreError> {
        self.with(|connection| connection.transaction(|inner| quarantine::admit(inner, entry)))
    }

    /// Deletes quarantined bodies of messages that have another outcome now.
    pub fn delete_quarantined(
        &mut self,
        source: &str,
        message_ids: &[String],
    ) -> Result<(), StoreError> {
        self.with(|connection| quarantine::drop_messages(connection, source, message_ids))
    }

    /// One step of retention; returns how many rows were deleted, 0 when nothing is left to do.
    /// Deletes bodies that came before `oldest_body`, absences from before `oldest_absence`, and
    /// message ids and jobs from before `oldest_event`.
    pub fn run_retention(
        &mut self,
        oldest_body: Timestamp,
        oldest_absence: Timestamp,
        oldest_event: Timestamp,
    ) -> Result<usize, StoreError> {
        let clock = self.clock.clone();
        self.with(|connection| {
            connection.read_clock(&clock)?;
            connection.with_custom_plans(|connection| {
                // Each step runs, whether or not the one before failed.
                let deleted = [
                    retention::delete_bodies_of_deleted(connection),
                    retention::delete_unneeded_write_backs(connection),
                    retention::delete_user_calls(connection),
                    retention::delete_bodies_with_outcome(connection),
                    retention::delete_old_bodies(connection, oldest_body),
                    retention::delete_absences(connection, oldest_absence),
                    retention::delete_events(connection, oldest_event),
                    retention::delete_candidates(connection),
                    retention::delete_jobs(connection, oldest_event),
                ];
                deleted.into_iter().sum()
            })
        })
    }

    /// Makes write-backs due that were put off while the clock was ahead.
    pub fn end_pauses_ahead(&mut self) -> Result<(), StoreError> {
        self.with(|connection| connection.transaction(write_backs::end_pauses_ahead))
    }

    /// Deleted bytes stay in SQLite's WAL until it is truncated.
    pub fn mark_wal_dirty(&self) {
        if matches!(self.database, Database::Sqlite(_)) {
            self.wal.since().get_or_insert_with(Instant::now);
        }
    }

    /// How long deleted bytes may have been left in the WAL.
    pub fn wal_dirty_for(&self) -> Option<Duration> {
        self.wal.dirty_for()
    }

    /// On SQLite, removes deleted bytes from the WAL, where no reader prevents it.
    pub fn truncate_wal(&mut self) {
        // A deletion from here on marks it again.
        let since = self.wal.since().take();
        let cleaned = self.with(|connection| match connection {
            AnyConnection::Sqlite(inner) => sqlite::truncate_wal(inner),
            AnyConnection::Postgres(_) => Ok(true),
        });
        if !cleaned.unwrap_or(false) {
            *self.wal.since() = since;
        }
    }

    pub fn is_alive(&mut self) -> bool {
        self.with(|connection| {
            connection.is_alive().then_some(()).ok_or_else(|| StoreError::Away("no answer".into()))
        })
        .is_ok()
    }

    /// Runs `work` on the connection, which is opened first where there is none, and dropped where
    /// the database turned out to be away.
    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _guard = self.write_lock.wait();
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(OpenConnection::open(&self.database, Purpose::Write)?),
        };
        let result = connection.run(work);
        if matches!(result, Err(StoreError::Away(_))) {
            self.connection = None;
        }
        result
    }
}

fn raise_sign_ins(
    connection: &mut AnyConnection,
    batch: &Batch<'_>,
    places: &[usize],
) -> Result<(), StoreError> {
    for user in places.iter().filter_map(|place| batch.users.get(*place)) {
        batch::raise_last_sign_in(connection, batch.source, user)?;
    }
    Ok(())
}
