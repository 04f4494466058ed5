//! A batch: many deliveries, one transaction.
//!
//! `ingest` folds what is queued into a [`Batch`] and hands it to the store's writer. Here
//! is what a batch looks like on both engines; [`postgres`] writes it as one statement,
//! [`sqlite`] as a loop of cached statements in one transaction. Both take the column list
//! and the guard from [`sql`], so that the order of snapshots is decided by one text.
//!
//! A batch without deliveries is what `sync` fetched: it has an [`UserResult`] a user instead of a
//! result a delivery ([`statement`] has both statements of PostgreSQL).

pub(super) mod postgres;
mod row;
mod sql;
pub(super) mod sqlite;
mod statement;

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::users;
use super::types::Moment;
use crate::domain::{Change, IgnoreReason, MergedChange, Outcome};
use diesel::prelude::*;

/// What one transaction writes. Users stand in the order of their external ids and
/// deliveries in that of their message ids: all writers lock in one order.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The provider's name.
    pub source: &'static str,
    /// The local time of the batch.
    pub now: Moment,
    /// Whether to note whom the provider may have to be told about.
    pub write_back: bool,
    /// One entry a user.
    pub users: Vec<UserWrite<'a>>,
    /// One entry a message.
    pub deliveries: Vec<DeliveryWrite<'a>>,
}

/// What a batch says about one user.
#[derive(Clone, Debug)]
pub struct UserWrite<'a> {
    /// The id of the row, should it be new.
    pub id: String,
    /// All changes to the user, folded.
    pub merged: MergedChange<'a>,
}

impl UserWrite<'_> {
    /// The id that the provider holds for us, where nothing is to be written back.
    fn acknowledged_id(&self) -> Option<&str> {
        match self.merged.winner {
            Change::Snapshot(snapshot) => snapshot.acknowledged_id.as_deref(),
            Change::Absence { .. } | Change::Deletion { .. } => None,
        }
    }
}

/// What a batch did to one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserResult {
    /// Our id of the user.
    pub user_id: String,
    /// What became of the row.
    pub outcome: UpsertOutcome,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpsertOutcome {
    /// It is new.
    Created,
    /// It is changed.
    Updated,
    /// It held this already.
    Unchanged,
    /// It holds something newer.
    Superseded,
    /// The user was seen to be absent later than this.
    Absent,
    /// The user is deleted, signed by the provider.
    Tombstoned,
}

/// One message, and where it stands within its batch.
#[derive(Clone, Debug)]
pub struct DeliveryWrite<'a> {
    /// The sender's id of the message.
    pub message_id: &'a str,
    /// The type of the event.
    pub kind: &'a str,
    /// What there is to be judged.
    pub disposition: Disposition,
}

/// What decides a delivery's outcome, apart from what the database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It changes nobody.
    Ignored(IgnoreReason),
    /// It is the change that this batch writes for the user at this place of `users`.
    Winner(usize),
    /// Another snapshot of the batch has a greater version.
    Superseded(usize),
    /// Another delivery of the batch is the user's signed deletion.
    DeletedInBatch(usize),
}

impl Disposition {
    /// The place in `users` of the user concerned.
    pub const fn user(self) -> Option<usize> {
        match self {
            Self::Ignored(_) => None,
            Self::Winner(user) | Self::Superseded(user) | Self::DeletedInBatch(user) => Some(user),
        }
    }
}

/// What became of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryResult {
    /// The outcome and its reason.
    pub outcome: Outcome,
    /// Our id of the user concerned.
    pub user_id: Option<String>,
    /// Whether the message had been quarantined or ignored before: what was kept of it
    /// is now to be dropped.
    pub retried: bool,
}

/// Writes a batch without deliveries, and says what became of each user, in their order. On
/// SQLite a transaction must be open.
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
            raise_last_fetched(connection, batch.source, user)?;
        }
    }
    Ok(results)
}

/// Likewise, and raises nothing in a row that keeps what it holds: all that happens where no
/// version of the batch beats any.
pub(super) fn insert(
    connection: &mut AnyConnection,
    batch: &Batch<'_>,
) -> Result<Vec<UserResult>, StoreError> {
    match connection {
        AnyConnection::Postgres(inner) => postgres::apply(inner, batch),
        AnyConnection::Sqlite(inner) => sqlite::apply(inner, batch),
    }
}

/// Raises a row's last sign-in to what a batch knows, where that is later. Needed only where
/// the batch did not change the row; it commutes with everything but a signed deletion,
/// which it leaves alone.
pub(super) fn raise_last_sign_in(
    connection: &mut AnyConnection,
    source: &str,
    user: &UserWrite<'_>,
) -> Result<(), StoreError> {
    let latest = user.merged.last_sign_in_at.and_then(|at| Moment::from_millis(at.get()));
    let external_id = user.merged.winner.external_id();
    both!(connection, |inner| diesel::update(users::table)
        .filter(users::external_id.eq(external_id).and(users::source.eq(source)))
        .filter(users::deletion_kind.is_null().or(users::deletion_kind.ne("signed")))
        .filter(users::last_sign_in_at.is_null().or(users::last_sign_in_at.lt(latest)))
        .set(users::last_sign_in_at.eq(latest))
        .execute(inner))?;
    Ok(())
}

/// Raises the last fetch of a row that keeps what it holds: it was asked about all the same.
fn raise_last_fetched(
    connection: &mut AnyConnection,
    source: &str,
    user: &UserWrite<'_>,
) -> Result<(), StoreError> {
    let Change::Snapshot(snapshot) = user.merged.winner else {
        return Ok(());
    };
    let latest = snapshot.fetched_at.and_then(|at| Moment::from_millis(at.get()));
    both!(connection, |inner| diesel::update(users::table)
        .filter(users::external_id.eq(&snapshot.external_id).and(users::source.eq(source)))
        .filter(users::deletion_kind.is_null().or(users::deletion_kind.ne("signed")))
        .filter(users::last_fetched_at.is_null().or(users::last_fetched_at.lt(latest)))
        .set(users::last_fetched_at.eq(latest))
        .execute(inner))?;
    Ok(())
}

/// What a batch came to.
#[derive(Debug, Default)]
pub(super) struct BatchReport {
    /// One result a delivery, in their order.
    pub(super) results: Vec<DeliveryResult>,
    /// Places in `users` of rows that keep a newer version, but may have an older last
    /// sign-in than the batch knows.
    pub(super) newer_sign_ins: Vec<usize>,
}
