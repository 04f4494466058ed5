//! Deletes expired rows, every minute.
//!
//! Called by the writer thread of `ingest`. Safe on every replica at once: rows are deleted one by
//! one or in the order of their keys, and the second replica finds them gone.

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::quarantine::drop_messages;
use super::schema::{
    absences, job_candidates, jobs, quarantine, quarantine_subjects, user_calls, users,
    webhook_events, write_backs,
};
use crate::domain::Timestamp;
use diesel::prelude::*;

/// Rows that one step deletes at most, so that it holds no lock for long.
const STEP: i64 = 500;

/// Deletes the row of each key found. Returns how many there were.
macro_rules! delete_each {
    ($connection:expr, $found:expr, |$key:ident| $row:expr) => {{
        for $key in &$found {
            both!($connection, |inner| diesel::delete($row).execute(inner))?;
        }
        Ok($found.len())
    }};
}

/// Deletes quarantined bodies of deleted users. The deletion deletes those it sees; it does not see
/// what another replica quarantined at the same moment. Returns how many.
pub(super) fn delete_bodies_of_deleted(
    connection: &mut AnyConnection,
) -> Result<usize, StoreError> {
    let found: Vec<(String, String)> = both!(connection, |inner| quarantine_subjects::table
        .inner_join(
            users::table.on(users::external_id
                .eq(quarantine_subjects::subject)
                .and(users::source.eq(quarantine_subjects::source)))
        )
        .filter(users::deletion_kind.eq("signed"))
        .select((quarantine_subjects::source, quarantine_subjects::message_id))
        .limit(STEP)
        .load(inner))?;
    delete_messages(connection, &found)
}

/// Deletes write-backs of users whose deletion is signed. The deletion deletes those it sees; it
/// does not see what another replica enqueued at the same moment. Returns how many.
pub(super) fn delete_unneeded_write_backs(
    connection: &mut AnyConnection,
) -> Result<usize, StoreError> {
    let found: Vec<(String, String)> = both!(connection, |inner| write_backs::table
        .inner_join(
            users::table.on(users::external_id
                .eq(write_backs::external_id)
                .and(users::source.eq(write_backs::source)))
        )
        .filter(users::deletion_kind.eq("signed"))
        .select((write_backs::external_id, write_backs::source))
        .limit(STEP)
        .load(inner))?;
    delete_each!(connection, found, |key| write_backs::table.find((&key.0, &key.1)))
}

/// Deletes logs of calls that no longer matter.
pub(super) fn delete_user_calls(connection: &mut AnyConnection) -> Result<usize, StoreError> {
    let is_past = user_calls::kept_until.lt(connection.now()?);
    let found: Vec<String> = both!(connection, |inner| user_calls::table
        .filter(is_past)
        .order(user_calls::external_id)
        .select(user_calls::external_id)
        .limit(STEP)
        .load(inner))?;
    Ok(both!(connection, |inner| diesel::delete(user_calls::table)
        .filter(user_calls::external_id.eq_any(&found))
        .filter(is_past)
        .execute(inner))?)
}

/// Deletes candidates of ended jobs: the replica that ended the job does so too, unless it died.
pub(super) fn delete_candidates(connection: &mut AnyConnection) -> Result<usize, StoreError> {
    let found: Vec<(String, String, String)> = both!(connection, |inner| job_candidates::table
        .inner_join(jobs::table.on(jobs::id.eq(job_candidates::job_id)))
        .filter(jobs::finished_at.is_not_null())
        .select((job_candidates::job_id, job_candidates::drift_kind, job_candidates::external_id,))
        .limit(STEP)
        .load(inner))?;
    delete_each!(connection, found, |key| job_candidates::table.find((&key.0, &key.1, &key.2)))
}

pub(super) fn delete_jobs(
    connection: &mut AnyConnection,
    oldest: Timestamp,
) -> Result<usize, StoreError> {
    let past = jobs::table.filter(jobs::finished_at.lt(oldest));
    Ok(both!(connection, |inner| diesel::delete(past).execute(inner))?)
}

pub(super) fn delete_absences(
    connection: &mut AnyConnection,
    oldest: Timestamp,
) -> Result<usize, StoreError> {
    let found: Vec<(String, String)> = both!(connection, |inner| absences::table
        .filter(absences::found_at.lt(oldest))
        .select((absences::external_id, absences::source))
        .limit(STEP)
        .load(inner))?;
    delete_each!(connection, found, |key| absences::table
        .find((&key.0, &key.1))
        .filter(absences::found_at.lt(oldest)))
}

/// Deletes bodies of messages that a later delivery or a replay gave another outcome: the process
/// may have died between the two. Returns how many.
pub(super) fn delete_bodies_with_outcome(
    connection: &mut AnyConnection,
) -> Result<usize, StoreError> {
    let found: Vec<(String, String)> = both!(connection, |inner| quarantine::table
        .inner_join(
            webhook_events::table.on(webhook_events::message_id
                .eq(quarantine::message_id)
                .and(webhook_events::source.eq(quarantine::source)))
        )
        .filter(webhook_events::outcome.ne("quarantined"))
        .select((quarantine::source, quarantine::message_id))
        .limit(STEP)
        .load(inner))?;
    delete_messages(connection, &found)
}

pub(super) fn delete_old_bodies(
    connection: &mut AnyConnection,
    oldest: Timestamp,
) -> Result<usize, StoreError> {
    let found: Vec<(String, String)> = both!(connection, |inner| quarantine::table
        .filter(quarantine::received_at.lt(oldest))
        .select((quarantine::source, quarantine::message_id))
        .limit(STEP)
        .load(inner))?;
    delete_messages(connection, &found)
}

fn delete_messages(
    connection: &mut AnyConnection,
    found: &[(String, String)],
) -> Result<usize, StoreError> {
    for (source, message_id) in found {
        drop_messages(connection, source, &[message_id])?;
    }
    Ok(found.len())
}

/// Deletes old message ids: the guard keeps repeats harmless without them.
pub(super) fn delete_events(
    connection: &mut AnyConnection,
    oldest: Timestamp,
) -> Result<usize, StoreError> {
    let found: Vec<String> = both!(connection, |inner| webhook_events::table
        .filter(webhook_events::received_at.lt(oldest))
        .select(webhook_events::message_id)
        .limit(STEP)
        .load(inner))?;
    let deleted = both!(connection, |inner| diesel::delete(webhook_events::table)
        .filter(webhook_events::message_id.eq_any(&found))
        .filter(webhook_events::received_at.lt(oldest))
        .execute(inner))?;
    Ok(deleted)
}
