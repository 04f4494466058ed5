//! A batch: many deliveries, one transaction.
//!
//! `ingest` merges what is queued into a [`Batch`] and hands it to the store's writer. [`postgres`]
//! writes it as one statement, [`sqlite`] as a loop of cached statements in one transaction. Both
//! take the column list and the guard from [`sql`], so that one text decides the order of
//! snapshots.
//!
//! A batch without deliveries is what `sync` fetched: its results are one a user ([`statement`] has
//! both statements of PostgreSQL).

pub(super) mod postgres;
mod row;
mod sql;
pub(super) mod sqlite;
mod statement;

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::users;
use crate::domain::{Change, IgnoreReason, MergedChange, Outcome, Timestamp, horizon};
use diesel::prelude::*;

/// What one transaction writes. Users are in the order of their external ids, deliveries in that of
/// their message ids: all writers lock in one order.
#[derive(Debug)]
pub struct Batch<'a> {
    pub source: &'static str,
    pub now: Timestamp,
    /// Whether to enqueue write-backs.
    pub write_back: bool,
    pub users: Vec<UserWrite<'a>>,
    pub deliveries: Vec<DeliveryWrite<'a>>,
}

#[derive(Clone, Debug)]
pub struct UserWrite<'a> {
    /// The id of the row, if it is new.
    pub id: String,
    pub merged: MergedChange<'a>,
}

impl UserWrite<'_> {
    /// The id that the provider holds, where write-back would send nothing.
    fn acknowledged_id(&self) -> Option<&str> {
        match self.merged.winner {
            Change::Snapshot(snapshot) => snapshot.acknowledged_id.as_deref(),
            Change::Absence { .. } | Change::Deletion { .. } => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserResult {
    pub user_id: String,
    pub outcome: UpsertOutcome,
}

/// What the guarded upsert did to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpsertOutcome {
    Created,
    Updated,
    /// The row held this; only its version rose.
    Unchanged,
    /// The row is newer.
    Superseded,
    /// The provider did not know the user, later than this snapshot.
    Absent,
    /// The deletion is signed.
    Tombstoned,
}

#[derive(Clone, Debug)]
pub struct DeliveryWrite<'a> {
    pub message_id: &'a str,
    pub event_type: &'a str,
    pub disposition: Disposition,
}

/// What decides a delivery's outcome besides the database. Numbers are indices into `users`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    Ignored(IgnoreReason),
    /// The batch writes this delivery's change.
    Winner(usize),
    /// Another delivery of the batch has a greater version.
    Superseded(usize),
    /// Another delivery of the batch is the user's signed deletion.
    DeletedInBatch(usize),
}

impl Disposition {
    /// The index into `users`.
    pub const fn user(self) -> Option<usize> {
        match self {
            Self::Ignored(_) => None,
            Self::Winner(user) | Self::Superseded(user) | Self::DeletedInBatch(user) => Some(user),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryResult {
    pub outcome: Outcome,
    pub user_id: Option<String>,
    /// Whether the message was quarantined or ignored before: its body is to be deleted.
    pub retried: bool,
}

/// Writes a batch without deliveries, and returns one result a user, in their order. On SQLite a
/// transaction must be open.
pub(super) fn apply(
    connection: &mut AnyConnection,
    batch: &Batch<'_>,
) -> Result<Vec<UserResult>, StoreError> {
    let results = insert(connection, batch)?;
    for (user, result) in batch.users.iter().zip(&results) {
        if matches!(result.outcome, UpsertOutcome::Superseded | UpsertOutcome::Absent) {
            if user.merged.last_sign_in_at.is_some() {
                raise_last_sign_in(connection, batch.source, user)?;
            }
            raise_last_fetched(connection, batch, user)?;
        }
    }
    Ok(results)
}

/// Likewise, but leaves rows that it does not change as they are: an import must not touch them.
pub(super) fn insert(
    connection: &mut AnyConnection,
    batch: &Batch<'_>,
) -> Result<Vec<UserResult>, StoreError> {
    match connection {
        AnyConnection::Postgres(inner) => postgres::apply(inner, batch),
        AnyConnection::Sqlite(inner) => sqlite::apply(inner, batch),
    }
}

/// Raises a row's last sign-in, where the batch knows a later one and did not change the row.
/// Commutes with everything but a signed deletion, which it leaves alone.
pub(super) fn raise_last_sign_in(
    connection: &mut AnyConnection,
    source: &str,
    user: &UserWrite<'_>,
) -> Result<(), StoreError> {
    let latest = user.merged.last_sign_in_at;
    let external_id = user.merged.winner.external_id();
    both!(connection, |inner| diesel::update(users::table)
        .filter(users::external_id.eq(external_id).and(users::source.eq(source)))
        .filter(users::deletion_kind.is_null().or(users::deletion_kind.ne("signed")))
        .filter(users::last_sign_in_at.is_null().or(users::last_sign_in_at.lt(latest)))
        .set(users::last_sign_in_at.eq(latest))
        .execute(inner))?;
    Ok(())
}

/// Raises the last fetch of a row that is newer than the fetch.
fn raise_last_fetched(
    connection: &mut AnyConnection,
    batch: &Batch<'_>,
    user: &UserWrite<'_>,
) -> Result<(), StoreError> {
    let Change::Snapshot(snapshot) = user.merged.winner else {
        return Ok(());
    };
    let latest = snapshot.fetched_at;
    let horizon = horizon(batch.now);
    both!(connection, |inner| diesel::update(users::table)
        .filter(users::external_id.eq(&snapshot.external_id).and(users::source.eq(batch.source)))
        .filter(users::deletion_kind.is_null().or(users::deletion_kind.ne("signed")))
        .filter(
            users::last_fetched_at
                .is_null()
                .or(users::last_fetched_at.lt(latest))
                .or(users::last_fetched_at.gt(horizon))
        )
        .set(users::last_fetched_at.eq(latest))
        .execute(inner))?;
    Ok(())
}

#[derive(Debug, Default)]
pub(super) struct WrittenBatch {
    /// One result a delivery, in their order.
    pub(super) results: Vec<DeliveryResult>,
    /// Indices of users whose row is newer, but may have an older last sign-in than the batch.
    pub(super) newer_sign_ins: Vec<usize>,
}
