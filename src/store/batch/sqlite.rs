//! A batch on SQLite: one transaction, cached statements in a loop.
//!
//! There is one writer at a time, so nothing changes between the look-up and the write, and the
//! outcomes are decided here as PostgreSQL's statement decides them.

use super::row::Row;
use super::sql::{batch_columns, held_rank, horizon, on_conflict, rank, row_columns, unchanged};
use super::{
    Batch, DeliveryResult, DeliveryWrite, Disposition, UpsertOutcome, UserResult, UserWrite,
    WrittenBatch,
};
use crate::domain::{Outcome, StaleReason, Timestamp};
use crate::store::error::StoreError;
use crate::store::schema::{quarantine, quarantine_subjects, users, webhook_events, write_backs};
use crate::store::types::UtcColumn;
use crate::store::write_backs::{earlier, enqueue};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Bool, Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};

/// Writes the batch in the open transaction.
pub(in crate::store) fn write(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
) -> Result<WrittenBatch, StoreError> {
    let users = write_users(connection, batch)?;
    let record_one = |delivery| record(connection, batch, &users, delivery);
    let results = batch.deliveries.iter().map(record_one).collect::<Result<_, _>>()?;
    let kept = |place: &usize| users.get(*place).is_some_and(|user| !user.changed);
    let knows = |place: &usize| {
        batch.users.get(*place).is_some_and(|user| user.merged.last_sign_in_at.is_some())
    };
    let newer_sign_ins = (0..users.len()).filter(kept).filter(knows).collect();
    Ok(WrittenBatch { results, newer_sign_ins })
}

/// Writes a batch without deliveries in the open transaction. Returns one result a user.
pub(in crate::store) fn apply(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
) -> Result<Vec<UserResult>, StoreError> {
    Ok(write_users(connection, batch)?.into_iter().map(RowChange::result).collect())
}

fn write_users(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
) -> Result<Vec<RowChange>, StoreError> {
    batch.users.iter().map(|user| write_user(connection, batch, user)).collect()
}

struct RowChange {
    id: String,
    created: bool,
    changed: bool,
    /// More than the version changed.
    touched: bool,
    deletion_kind_before: Option<String>,
}

impl RowChange {
    fn result(self) -> UserResult {
        let outcome = match self.deletion_kind_before.as_deref() {
            _ if self.created => UpsertOutcome::Created,
            _ if self.touched => UpsertOutcome::Updated,
            _ if self.changed => UpsertOutcome::Unchanged,
            Some("signed") => UpsertOutcome::Tombstoned,
            Some(_) => UpsertOutcome::Absent,
            None => UpsertOutcome::Superseded,
        };
        UserResult { user_id: self.id, outcome }
    }
}

fn write_user(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
    user: &UserWrite<'_>,
) -> Result<RowChange, StoreError> {
    let external_id = user.merged.winner.external_id();
    let the_user = users::external_id.eq(external_id).and(users::source.eq(batch.source));
    let before: Option<(String, Option<String>)> = users::table
        .filter(the_user)
        .select((users::id, users::deletion_kind))
        .first(connection)
        .optional()?;
    let row = Row::new(user);
    let deletion_kind = row.deletion_kind;
    let deleted_at = deletion_kind.map(|_| batch.now);
    let upsert = Upsert { row, source: batch.source, now: batch.now, deleted_at };
    let written: Option<(Timestamp, bool)> = upsert.get_result(connection).optional()?;
    let created = before.is_none();
    let (id, deletion_kind_before) = before.unwrap_or_else(|| (user.id.clone(), None));
    if let Some((_, has_override)) = written {
        if deletion_kind == Some("signed") {
            cancel_write_back(connection, batch.source, external_id)?;
            erase(connection, batch.source, external_id)?;
        }
        let needs_write_back = has_override || user.acknowledged_id() != Some(&id);
        if batch.write_back && deletion_kind.is_none() && needs_write_back {
            // The batch's own time: this engine has one clock.
            enqueue!(connection, batch.source, external_id, batch.now, batch.now)?;
        } else if batch.write_back {
            wake(connection, batch, external_id)?;
        }
    }
    let touched = written.is_some_and(|(updated_at, _)| updated_at == batch.now);
    Ok(RowChange { id, created, changed: written.is_some(), touched, deletion_kind_before })
}

/// Makes a parked write-back due; see `sql::woken`.
fn wake(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
    external_id: &str,
) -> QueryResult<usize> {
    diesel::update(write_backs::table.find((external_id, batch.source)))
        .filter(write_backs::state.ne("due"))
        .set((write_backs::state.eq("due"), write_backs::next_try_at.eq(earlier(batch.now))))
        .execute(connection)
}

fn cancel_write_back(
    connection: &mut SqliteConnection,
    source: &str,
    external_id: &str,
) -> QueryResult<usize> {
    diesel::delete(write_backs::table.find((external_id, source))).execute(connection)
}

/// Deletes what is quarantined of a user.
fn erase(connection: &mut SqliteConnection, source: &str, subject: &str) -> QueryResult<usize> {
    let concerned = quarantine_subjects::table
        .filter(quarantine_subjects::subject.eq(subject))
        .filter(quarantine_subjects::source.eq(source))
        .select(quarantine_subjects::message_id);
    diesel::delete(quarantine::table)
        .filter(quarantine::source.eq(source))
        .filter(quarantine::message_id.eq_any(concerned))
        .execute(connection)
}

/// Decides the outcome and records it, unless the message has one already.
fn record(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
    users: &[RowChange],
    delivery: &DeliveryWrite<'_>,
) -> Result<DeliveryResult, StoreError> {
    let user = delivery.disposition.user().and_then(|place| users.get(place));
    let user_id = user.map(|user| user.id.clone());
    let before: Option<String> = webhook_events::table
        .find((delivery.message_id, batch.source))
        .select(webhook_events::outcome)
        .first(connection)
        .optional()?;
    let retried = before.is_some();
    if before.is_some_and(|outcome| outcome != "quarantined" && outcome != "ignored") {
        return Ok(DeliveryResult { outcome: Outcome::Duplicate, user_id, retried: false });
    }
    let outcome = outcome_of(delivery.disposition, user);
    let external_id = delivery.disposition.user().and_then(|place| batch.users.get(place));
    let columns = (
        webhook_events::event_type.eq(delivery.event_type),
        webhook_events::external_id.eq(external_id.map(|user| user.merged.winner.external_id())),
        webhook_events::outcome.eq(outcome.as_str()),
        webhook_events::reason.eq(outcome.reason()),
        webhook_events::received_at.eq(batch.now),
    );
    let key = (
        webhook_events::message_id.eq(delivery.message_id),
        webhook_events::source.eq(batch.source),
    );
    diesel::insert_into(webhook_events::table)
        .values((key, columns))
        .on_conflict((webhook_events::message_id, webhook_events::source))
        .do_update()
        .set(columns)
        .execute(connection)?;
    Ok(DeliveryResult { outcome, user_id, retried })
}

fn outcome_of(disposition: Disposition, user: Option<&RowChange>) -> Outcome {
    let before = user.and_then(|user| user.deletion_kind_before.as_deref());
    let changed = user.is_some_and(|user| user.changed);
    match disposition {
        Disposition::Ignored(reason) => Outcome::Ignored(reason),
        _ if before == Some("signed") => Outcome::Tombstoned,
        Disposition::DeletedInBatch(_) => Outcome::Tombstoned,
        Disposition::Winner(_) if changed => Outcome::Applied,
        _ if before == Some("absent") && !changed => Outcome::Stale(StaleReason::Absent),
        Disposition::Winner(_) | Disposition::Superseded(_) => {
            Outcome::Stale(StaleReason::Superseded)
        }
    }
}

/// The guarded upsert of one row.
struct Upsert<'a> {
    row: Row<'a>,
    source: &'static str,
    now: Timestamp,
    deleted_at: Option<Timestamp>,
}

impl Query for Upsert<'_> {
    /// The row's `updated_at`, and whether it has an override.
    type SqlType = (UtcColumn, Bool);
}

impl QueryId for Upsert<'_> {
    type QueryId = Upsert<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<SqliteConnection> for Upsert<'_> {}

impl QueryFragment<Sqlite> for Upsert<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(concat!(
            "INSERT INTO users (",
            row_columns!(),
            batch_columns!(),
            ") VALUES ("
        ));
        self.row.bind(out.reborrow())?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(self.source)?;
        for _ in ["created_at", "updated_at", "synced_at"] {
            out.push_sql(", ");
            out.push_bind_param::<UtcColumn, _>(&self.now)?;
        }
        out.push_sql(", ");
        out.push_bind_param::<Nullable<UtcColumn>, _>(&self.deleted_at)?;
        out.push_sql(")");
        out.push_sql(on_conflict!(sqlite));
        out.push_sql(" RETURNING updated_at, set_role IS NOT NULL OR set_plan IS NOT NULL");
        Ok(())
    }
}
