//! A batch on SQLite: one transaction, cached statements in a loop.
//!
//! There is one writer at a time, so nothing can change between the look and the write,
//! and the verdict is reached here in the same words as PostgreSQL's statement reaches it.

use super::row::Row;
use super::sql::{batch_columns, on_conflict, rank, row_columns, unchanged};
use super::{Batch, DeliveryWrite, Judgement, Standing, UserWrite, Written};
use crate::domain::{Outcome, Stale};
use crate::store::error::StoreError;
use crate::store::schema::{quarantine, quarantine_subjects, users, webhook_events};
use crate::store::types::{Moment, Utc};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};

/// Writes the batch inside the transaction that is open on `connection`.
pub(in crate::store) fn write(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
) -> Result<Written, StoreError> {
    let users: Vec<Effect> = batch
        .users
        .iter()
        .map(|user| write_user(connection, batch, user))
        .collect::<Result<_, _>>()?;
    let judge = |delivery| record(connection, batch, &users, delivery);
    let judgements = batch.deliveries.iter().map(judge).collect::<Result<_, _>>()?;
    let kept = |place: &usize| users.get(*place).is_some_and(|user| !user.changed);
    let knows = |place: &usize| {
        batch.users.get(*place).is_some_and(|user| user.merged.last_sign_in_at.is_some())
    };
    let newer_sign_ins = (0..users.len()).filter(kept).filter(knows).collect();
    Ok(Written { judgements, newer_sign_ins })
}

/// What the table held for a user, and whether the batch changed it.
struct Effect {
    id: String,
    changed: bool,
    deletion_kind_before: Option<String>,
}

fn write_user(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
    user: &UserWrite<'_>,
) -> Result<Effect, StoreError> {
    let external_id = user.merged.winner.external_id();
    let before: Option<(String, Option<String>)> = users::table
        .filter(users::external_id.eq(external_id).and(users::source.eq(batch.source)))
        .select((users::id, users::deletion_kind))
        .first(connection)
        .optional()?;
    let row = Row::new(user);
    let deleted_at = row.deletion_kind.map(|_| batch.now);
    let upsert = Upsert { row, source: batch.source, now: batch.now, deleted_at };
    let changed = upsert.execute(connection)? > 0;
    if changed && user.merged.winner.is_deletion() {
        erase(connection, batch.source, external_id)?;
    }
    let (id, deletion_kind_before) = before.unwrap_or_else(|| (user.id.clone(), None));
    Ok(Effect { id, changed, deletion_kind_before })
}

/// Drops what is quarantined of a user.
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

/// Judges a delivery and records it, unless its message is settled already.
fn record(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
    users: &[Effect],
    delivery: &DeliveryWrite<'_>,
) -> Result<Judgement, StoreError> {
    let user = delivery.standing.user().and_then(|place| users.get(place));
    let user_id = user.map(|user| user.id.clone());
    let before: Option<String> = webhook_events::table
        .find((delivery.message_id, batch.source))
        .select(webhook_events::outcome)
        .first(connection)
        .optional()?;
    let retried = before.is_some();
    if before.is_some_and(|outcome| outcome != "quarantined" && outcome != "ignored") {
        return Ok(Judgement { outcome: Outcome::Duplicate, user_id, retried: false });
    }
    let outcome = verdict(delivery.standing, user);
    let external_id = delivery.standing.user().and_then(|place| batch.users.get(place));
    let columns = (
        webhook_events::kind.eq(delivery.kind),
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
    Ok(Judgement { outcome, user_id, retried })
}

fn verdict(standing: Standing, user: Option<&Effect>) -> Outcome {
    let before = user.and_then(|user| user.deletion_kind_before.as_deref());
    let changed = user.is_some_and(|user| user.changed);
    match standing {
        Standing::Ignored(reason) => Outcome::Ignored(reason),
        _ if before == Some("signed") => Outcome::Tombstoned,
        Standing::Outlived(_) => Outcome::Tombstoned,
        Standing::Winner(_) if changed => Outcome::Applied,
        _ if before == Some("absent") && !changed => Outcome::Stale(Stale::Absent),
        Standing::Winner(_) | Standing::Superseded(_) => Outcome::Stale(Stale::Superseded),
    }
}

/// The guarded upsert of one row.
struct Upsert<'a> {
    row: Row<'a>,
    source: &'static str,
    now: Moment,
    deleted_at: Option<Moment>,
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
            out.push_bind_param::<Utc, _>(&self.now)?;
        }
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Utc>, _>(&self.deleted_at)?;
        out.push_sql(")");
        out.push_sql(on_conflict!());
        Ok(())
    }
}
