//! The quarantine: genuine deliveries that could not be applied.
//!
//! `ingest` adds them through the writer; a replay reads them; a deletion, a replay that succeeds,
//! and retention delete them.

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::{quarantine, quarantine_subjects, users, webhook_events};
use crate::domain::Timestamp;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

/// The most bytes of bodies kept. Beyond, senders get 503: nothing is deleted to make room.
pub const CAP_BYTES: i64 = 64 * 1024 * 1024;

#[derive(Debug)]
pub struct QuarantineEntry<'a> {
    pub source: &'static str,
    pub message_id: &'a str,
    /// Empty where the type could not be read.
    pub event_type: &'a str,
    /// A word of [`crate::domain::QuarantineReason`].
    pub reason: &'static str,
    /// The path of the field at fault.
    pub path: Option<&'a str>,
    /// Without private and unsafe metadata.
    pub body: Vec<u8>,
    /// External ids of the users that the body concerns.
    pub subjects: Vec<String>,
    pub now: Timestamp,
}

/// The result of adding a delivery; with the id of a user's row, where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    Kept,
    /// The message has an outcome already; nothing is kept.
    Duplicate(Option<String>),
    /// A user that it concerns is deleted: the event is recorded without its body.
    Tombstoned(String),
    /// The cap is reached; nothing is recorded.
    Full,
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = quarantine)]
pub struct QuarantineRecord {
    pub message_id: String,
    /// Empty where the type could not be read.
    pub event_type: String,
    pub reason: String,
    /// The path of the field at fault.
    pub path: Option<String>,
    pub size_bytes: i64,
    pub received_at: Timestamp,
}

/// Adds a delivery, in the open transaction. One that is quarantined already keeps its first time,
/// so that trying it anew does not prolong its retention.
pub(super) fn admit(
    connection: &mut AnyConnection,
    entry: &QuarantineEntry<'_>,
) -> Result<Admission, StoreError> {
    let outcome: Option<String> = both!(connection, |inner| webhook_events::table
        .find((entry.message_id, entry.source))
        .select(webhook_events::outcome)
        .first(inner)
        .optional())?;
    if outcome.is_some_and(|outcome| outcome != "quarantined" && outcome != "ignored") {
        return Ok(Admission::Duplicate(concerned(connection, entry)?.map(|(id, _)| id)));
    }
    let deleted = concerned(connection, entry)?.filter(|(_, deleted)| *deleted);
    let tombstoned = deleted.is_some();
    let kept: Option<(i64, Timestamp)> = both!(connection, |inner| quarantine::table
        .find((entry.message_id, entry.source))
        .select((quarantine::size_bytes, quarantine::received_at))
        .first(inner)
        .optional())?;
    let size = i64::try_from(entry.body.len()).unwrap_or(CAP_BYTES);
    let others = stored_bytes(connection)? - kept.map_or(0, |(size, _)| size);
    if !tombstoned && others.saturating_add(size) > CAP_BYTES {
        return Ok(Admission::Full);
    }
    drop_messages(connection, entry.source, &[entry.message_id])?;
    if !tombstoned {
        keep(connection, entry, size, kept.map_or(entry.now, |(_, received_at)| received_at))?;
    }
    record(connection, entry, tombstoned)?;
    Ok(deleted.map_or(Admission::Kept, |(id, _)| Admission::Tombstoned(id)))
}

/// The row's id of a user that the entry concerns, and whether the user is deleted; of several
/// users, a deleted one.
fn concerned(
    connection: &mut AnyConnection,
    entry: &QuarantineEntry<'_>,
) -> Result<Option<(String, bool)>, StoreError> {
    let users: Vec<(String, Option<String>)> = both!(connection, |inner| users::table
        .filter(users::external_id.eq_any(&entry.subjects).and(users::source.eq(entry.source)))
        .select((users::id, users::deletion_kind))
        .load(inner))?;
    let concerned = users.into_iter().map(|(id, kind)| (id, kind.as_deref() == Some("signed")));
    Ok(concerned.max_by_key(|(_, is_deleted)| *is_deleted))
}

fn keep(
    connection: &mut AnyConnection,
    entry: &QuarantineEntry<'_>,
    size_bytes: i64,
    received_at: Timestamp,
) -> Result<(), StoreError> {
    both!(connection, |inner| diesel::insert_into(quarantine::table)
        .values((
            quarantine::source.eq(entry.source),
            quarantine::message_id.eq(entry.message_id),
            quarantine::event_type.eq(entry.event_type),
            quarantine::reason.eq(entry.reason),
            quarantine::path.eq(entry.path),
            quarantine::body.eq(&entry.body),
            quarantine::size_bytes.eq(size_bytes),
            quarantine::received_at.eq(received_at),
        ))
        .execute(inner))?;
    let subjects = entry.subjects.iter().map(|subject| {
        (
            quarantine_subjects::source.eq(entry.source),
            quarantine_subjects::message_id.eq(entry.message_id),
            quarantine_subjects::subject.eq(subject),
        )
    });
    let subjects: Vec<_> = subjects.collect();
    both!(connection, |inner| diesel::insert_into(quarantine_subjects::table)
        .values(&subjects)
        .execute(inner))?;
    Ok(())
}

fn record(
    connection: &mut AnyConnection,
    entry: &QuarantineEntry<'_>,
    tombstoned: bool,
) -> Result<(), StoreError> {
    let (outcome, reason) =
        if tombstoned { ("tombstoned", None) } else { ("quarantined", Some(entry.reason)) };
    let columns = (
        webhook_events::event_type.eq(entry.event_type),
        webhook_events::external_id.eq(entry.subjects.first()),
        webhook_events::outcome.eq(outcome),
        webhook_events::reason.eq(reason),
        webhook_events::received_at.eq(entry.now),
    );
    let key =
        (webhook_events::message_id.eq(entry.message_id), webhook_events::source.eq(entry.source));
    both!(connection, |inner| diesel::insert_into(webhook_events::table)
        .values((key, columns))
        .on_conflict((webhook_events::message_id, webhook_events::source))
        .do_update()
        .set(columns)
        .execute(inner))?;
    Ok(())
}

/// Deletes quarantined messages one by one, so that two writers cannot deadlock.
pub(super) fn drop_messages(
    connection: &mut AnyConnection,
    source: &str,
    message_ids: &[impl AsRef<str>],
) -> Result<(), StoreError> {
    for message_id in message_ids {
        let message_id = message_id.as_ref();
        both!(connection, |inner| diesel::delete(quarantine::table.find((message_id, source)))
            .execute(inner))?;
    }
    Ok(())
}

pub(super) fn stored_bytes(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    // PostgreSQL's own sum of bigint is a numeric.
    let sum = "CAST(COALESCE(SUM(size_bytes), 0) AS bigint)";
    Ok(both!(connection, |inner| quarantine::table.select(sql::<BigInt>(sum)).first(inner))?)
}

/// Lists quarantined deliveries, the oldest first.
pub(super) fn list(
    connection: &mut AnyConnection,
    limit: i64,
) -> Result<Vec<QuarantineRecord>, StoreError> {
    Ok(both!(connection, |inner| quarantine::table
        .select(QuarantineRecord::as_select())
        .order((quarantine::received_at, quarantine::message_id))
        .limit(limit)
        .load(inner))?)
}

pub(super) fn body(
    connection: &mut AnyConnection,
    source: &str,
    message_id: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(both!(connection, |inner| quarantine::table
        .find((message_id, source))
        .select(quarantine::body)
        .first(inner)
        .optional())?)
}
