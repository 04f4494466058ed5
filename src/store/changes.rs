//! Writes beside the writer of `ingest`: fetched snapshots, and overrides.
//!
//! Called by `sync` and `http`. The guard of the upsert decides as it does for deliveries, so the
//! order of writers does not matter. Each write is one transaction on a connection of the write
//! pool.

use super::batch::{self, Batch, UserResult, UserWrite};
use super::connection::AnyConnection;
use super::error::StoreError;
use super::stored_user::{self, StoredUser};
use super::users::{self, UserRecord};
use super::{Store, call, checkout, write_backs};
use crate::domain::{Change, Entitlements, MergedChange, OverrideChanges, Timestamp};
use crate::store::row_defaults::RowDefaults;
use std::time::{Duration, Instant};

/// Attempts to truncate the WAL, and the pause between: readers here last milliseconds.
const WAL_TRUNCATE_ATTEMPTS: u32 = 5;
const WAL_TRUNCATE_PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, thiserror::Error)]
pub enum OverrideError {
    #[error("no user has this id")]
    NotFound,
    #[error("the user is deleted")]
    Deleted,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How long a caller waits for a transaction. Most are of one statement or two, and an operator or a
/// browser may wait.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Likewise for a job's page: several statements, each within its own limit.
const JOB_TIMEOUT: Duration = Duration::from_secs(60);

/// Begins a transaction on PostgreSQL that does not wait for its flush.
const BEGIN_ASYNC_COMMIT: &str = "BEGIN; SET LOCAL synchronous_commit TO off";

impl Store {
    /// Writes changes, each of another user, through the guard. Sorts them by external id and
    /// returns one result each, in that order.
    pub async fn apply(
        &self,
        defaults: RowDefaults,
        now: Timestamp,
        mut changes: Vec<Change>,
    ) -> Result<Vec<UserResult>, StoreError> {
        changes.sort_unstable_by(|one, other| one.external_id().cmp(other.external_id()));
        self.write(move |connection| {
            apply(connection, defaults, now, &changes.iter().collect::<Vec<_>>())
        })
        .await
    }

    /// Overrides role and plan of the user of this id, the row's or the provider's, and enqueues a
    /// write-back. Returns the user as written.
    pub async fn set_override(
        &self,
        id: String,
        entitlements: Entitlements,
        overrides: OverrideChanges,
        now: Timestamp,
    ) -> Result<UserRecord, OverrideError> {
        let written = self.write(move |connection| {
            let Some(found) = users::find(connection, &id)? else {
                return Ok(Err(OverrideError::NotFound));
            };
            let (source, external_id) = (found.source(), found.external_id());
            let locked = stored_user::lock(connection, source, external_id)?;
            let Some(mut stored) = locked.filter(StoredUser::is_live) else {
                return Ok(Err(OverrideError::Deleted));
            };
            stored_user::set_override(connection, &mut stored, &entitlements, &overrides, now)?;
            write_backs::enqueue_override(connection, source, external_id, now)?;
            let user = users::find(connection, &stored.id)?;
            Ok(user.ok_or(OverrideError::NotFound))
        });
        written.await?
    }

    /// On SQLite, removes deleted bytes from the WAL; where a reader prevents it for long, the
    /// writer does it later.
    pub async fn truncate_wal(&self) -> Result<(), StoreError> {
        let mut writer = self.writer();
        writer.mark_wal_dirty();
        let task = tokio::task::spawn_blocking(move || {
            for _ in 0..WAL_TRUNCATE_ATTEMPTS {
                if writer.wal_dirty_for().is_none() {
                    break;
                }
                writer.truncate_wal();
                std::thread::sleep(WAL_TRUNCATE_PAUSE);
            }
        });
        task.await.map_err(|_| StoreError::Refused("a change panicked".into()))
    }

    /// Runs `work` as one transaction, off the async threads.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_blocking(WRITE_TIMEOUT, move |connection| connection.transaction(work)).await
    }

    /// Likewise, without waiting for PostgreSQL's flush: a crash of the server may undo it.
    pub(super) async fn write_async_commit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_blocking(JOB_TIMEOUT, move |connection| {
            connection.transaction_begun_with(BEGIN_ASYNC_COMMIT, work)
        })
        .await
    }

    /// Likewise, with statements planned for what the tables hold now.
    pub(super) async fn write_replanned<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_blocking(JOB_TIMEOUT, move |connection| {
            connection.with_custom_plans(|connection| connection.transaction(work))
        })
        .await
    }

    async fn run_blocking<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (writers, write_lock) = (self.writers.clone(), self.write_lock.clone());
        call(timeout, move || {
            let mut connection = checkout(&writers)?;
            let _guard = write_lock.wait();
            let started = Instant::now();
            connection.run(work).map_err(|error| error.after(started.elapsed()))
        })
        .await
    }
}

/// Writes changes of one user each, sorted by external id.
pub(super) fn apply(
    connection: &mut AnyConnection,
    defaults: RowDefaults,
    now: Timestamp,
    changes: &[&Change],
) -> Result<Vec<UserResult>, StoreError> {
    let users = changes
        .iter()
        .map(|change| UserWrite {
            id: defaults.new_id(change.external_id()),
            merged: MergedChange::of(change),
        })
        .collect();
    let RowDefaults { source, write_back, .. } = defaults;
    batch::apply(connection, &Batch { source, now, write_back, users, deliveries: Vec::new() })
}
