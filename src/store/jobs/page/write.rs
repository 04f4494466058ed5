//! Writes the users of a page whose rows differ. Called by [`super`], in its transaction.

use super::row::Row;
use crate::domain::{Change, Comparison, Counters, Timestamp, compare};
use crate::store::StoreError;
use crate::store::batch::{UpsertOutcome, UserResult};
use crate::store::changes;
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::{users, write_backs};
use crate::store::write_backs::WriteBackPolicy;
use diesel::prelude::*;
use std::collections::HashMap;

/// A fetched user whose row differs, with how it does.
type Difference<'a> = (&'a Change, Comparison);

/// What became of the users of a page.
#[derive(Default)]
pub(super) struct PageResult<'a> {
    /// Those about whom nothing was written, because the row agreed.
    same: u64,
    /// Likewise, because the deletion is signed.
    tombstoned: u64,
    /// The others, each with what the guard did.
    pub(super) written: Vec<(Difference<'a>, UserResult)>,
}

/// Hands what differs to the guard, and enqueues write-backs for rows that agree; with `renews`
/// every user is handed over, so that the row shows when it was fetched last.
pub(super) fn write<'a>(
    connection: &mut AnyConnection,
    policy: &WriteBackPolicy,
    now: Timestamp,
    fetched: &'a [Change],
    rows: &HashMap<String, Row>,
    renews: bool,
) -> Result<PageResult<'a>, StoreError> {
    let (mut differing, mut needs_write_back) = (Vec::new(), Vec::new());
    let mut result = PageResult::default();
    for (change, user) in fetched.iter().filter_map(|one| Some((one, one.snapshot()?))) {
        let row = rows.get(&user.external_id);
        match (compare(row.map(Row::view).as_ref(), user, now), row) {
            (Comparison::Tombstoned, _) if !renews => result.tombstoned += 1,
            (Comparison::Same, Some(row)) if !renews => {
                result.same += 1;
                if policy.defaults.write_back && !row.needs_no_write_back(user) {
                    needs_write_back.push(user.external_id.as_str());
                }
            }
            (comparison, _) => differing.push((change, comparison)),
        }
    }
    differing.sort_unstable_by(|(one, _), (other, _)| one.external_id().cmp(other.external_id()));
    lower_versions(connection, policy.defaults.source, &differing, rows)?;
    let changes: Vec<&Change> = differing.iter().map(|(change, _)| *change).collect();
    if !changes.is_empty() {
        let written = changes::apply(connection, policy.defaults, now, &changes)?;
        result.written = differing.into_iter().zip(written).collect();
    }
    needs_write_back.sort_unstable();
    enqueue_missing(connection, policy.defaults.source, &needs_write_back, now)?;
    Ok(result)
}

/// Makes rows follow that contradict what the provider shows. The rows that are there are locked first,
/// in the order in which every writer locks; where a new user of the page collides with another
/// writer all the same, one of them tries again.
fn lower_versions(
    connection: &mut AnyConnection,
    source: &str,
    differing: &[Difference<'_>],
    rows: &HashMap<String, Row>,
) -> Result<(), StoreError> {
    if !differing.iter().any(|(_, comparison)| comparison.contradicts_provider()) {
        return Ok(());
    }
    if let AnyConnection::Postgres(inner) = connection {
        let ids: Vec<&str> = differing.iter().map(|(change, _)| change.external_id()).collect();
        users::table
            .filter(users::external_id.eq_any(ids).and(users::source.eq(source)))
            .order(users::external_id)
            .select(users::id)
            .for_update()
            .load::<String>(inner)?;
    }
    for (change, comparison) in differing.iter().filter(|(_, one)| one.contradicts_provider()) {
        if let Some(row) = rows.get(change.external_id()) {
            tracing::warn!(
                user.external_id = change.external_id(),
                is = ?comparison,
                "a row contradicts what the provider shows, and follows it now"
            );
            row.lower_version(connection)?;
        }
    }
    Ok(())
}

impl PageResult<'_> {
    /// Counts users of a job by what was done.
    pub(super) fn count_into(&self, counters: &mut Counters) {
        counters.unchanged += self.same;
        counters.tombstoned += self.tombstoned;
        for ((_, comparison), result) in &self.written {
            match result.outcome {
                UpsertOutcome::Created => {
                    counters.created += 1;
                    counters.missing += 1;
                }
                UpsertOutcome::Updated => {
                    counters.updated += 1;
                    if *comparison == Comparison::Returned {
                        counters.missing += 1;
                    } else {
                        counters.stale += 1;
                    }
                }
                UpsertOutcome::Unchanged | UpsertOutcome::Superseded | UpsertOutcome::Absent => {
                    counters.unchanged += 1;
                }
                UpsertOutcome::Tombstoned => counters.tombstoned += 1,
            }
        }
    }
}

/// Enqueues write-backs, and leaves those that are due or parked as they are.
fn enqueue_missing(
    connection: &mut AnyConnection,
    source: &str,
    external_ids: &[&str],
    created_at: Timestamp,
) -> Result<(), StoreError> {
    if external_ids.is_empty() {
        return Ok(());
    }
    let now = connection.now()?;
    let rows: Vec<_> = external_ids
        .iter()
        .map(|external_id| {
            (
                write_backs::source.eq(source),
                write_backs::external_id.eq(external_id),
                write_backs::next_try_at.eq(now),
                write_backs::created_at.eq(created_at),
            )
        })
        .collect();
    both!(connection, |inner| diesel::insert_into(write_backs::table)
        .values(&rows)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(())
}
