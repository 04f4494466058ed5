//! The writer's connection: opened when needed, dropped when broken, opened again.
//!
//! Owned by `ingest`, one a process; `Store::truncate_wal` opens a second one for a moment. Blocks;
//! never called on an async thread.

use super::batch::{self, Batch, DeliveryResult};
use super::connection::{AnyConnection, WriteLock};
use super::database::{Database, Purpose};
use super::error::StoreError;
use super::quarantine::{self, Admission, QuarantineEntry};
use super::{retention, sqlite};
use crate::domain::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub struct Writer {
    database: Database,
    connection: Option<AnyConnection>,
    write_lock: WriteLock,
    wal_is_dirty: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn new(
        database: Database,
        write_lock: WriteLock,
        wal_is_dirty: Arc<AtomicBool>,
    ) -> Self {
        Self { database, connection: None, write_lock, wal_is_dirty }
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
        self.with(|connection| {
            connection.with_custom_plans(|connection| {
                // Each step runs, whether or not the one before failed.
                let deleted = [
                    retention::delete_bodies_of_deleted(connection),
                    retention::delete_unneeded_write_backs(connection),
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

    /// Deleted bytes stay in SQLite's WAL until it is truncated.
    pub fn mark_wal_dirty(&self) {
        self.wal_is_dirty.store(matches!(self.database, Database::Sqlite(_)), Ordering::Release);
    }

    /// Whether deleted bytes may be left in the WAL, of any connection.
    pub fn wal_is_dirty(&self) -> bool {
        self.wal_is_dirty.load(Ordering::Acquire)
    }

    /// On SQLite, removes deleted bytes from the WAL, where no reader prevents it.
    pub fn truncate_wal(&mut self) {
        // A deletion from here on marks it again.
        self.wal_is_dirty.store(false, Ordering::Release);
        let cleaned = self.with(|connection| match connection {
            AnyConnection::Sqlite(inner) => sqlite::truncate_wal(inner),
            AnyConnection::Postgres(_) => Ok(true),
        });
        if !cleaned.unwrap_or(false) {
            self.mark_wal_dirty();
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
            none => none.insert(AnyConnection::open(&self.database, Purpose::Write)?),
        };
        let result = work(connection);
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
