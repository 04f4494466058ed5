//! Empties the rows of users that the provider does not know, up to the mass-delete limit.
//!
//! Called by `sync` after a second look-up. Count, comparison and change are one transaction, one
//! at a time over all replicas; the limit itself is [`EmptiedRows`]. Absences that were found
//! together are emptied or held back together.

use super::Store;
use super::batch::UpsertOutcome;
use super::changes::apply;
use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::absences;
use super::users::count_live;
use crate::domain::{AbsenceBaseline, Change, EmptiedRows, Timestamp, Version, horizon};
use crate::store::row_defaults::RowDefaults;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use std::time::Duration;

/// The limit counts the absences of this time.
const LIMIT_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

const EMPTIED: &str = "emptied";
const HELD_BACK: &str = "held_back";

/// The key of the advisory lock that makes replicas count one after the other.
const LOCK_KEY: i64 = 0x7573_6572_6162_736e;

/// A user that two look-ups did not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    pub external_id: String,
    /// The version of the row, read just before the second look-up was sent.
    pub baseline: AbsenceBaseline,
    /// When the second look-up was sent, in milliseconds.
    pub sent_at_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbsenceVerdict {
    /// The rows of these users; those of the others are newer than the look-up.
    Emptied(Vec<String>),
    HeldBack,
}

impl Store {
    /// Empties the rows of absent users, unless they exceed the mass-delete limit.
    pub async fn empty_absent(
        &self,
        defaults: RowDefaults,
        now: Timestamp,
        mut found: Vec<Absence>,
    ) -> Result<AbsenceVerdict, StoreError> {
        found.sort_unstable_by(|one, other| one.external_id.cmp(&other.external_id));
        self.write_replanned(move |connection| {
            lock_absences(connection)?;
            let ids: Vec<&str> = found.iter().map(|absence| absence.external_id.as_str()).collect();
            let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
            if exceeds_limit(connection, defaults.source, &ids, count)?.is_some() {
                record(connection, defaults.source, &found, HELD_BACK)?;
                return Ok(AbsenceVerdict::HeldBack);
            }
            Ok(AbsenceVerdict::Emptied(empty(connection, defaults, now, found)?))
        })
        .await
    }

    /// Records absences that are not acted on, until the next reconcile.
    pub async fn record_held_back(
        &self,
        source: &'static str,
        found: Vec<Absence>,
    ) -> Result<(), StoreError> {
        self.write(move |connection| record(connection, source, &found, HELD_BACK)).await
    }
}

impl Absence {
    fn change(&self) -> Change {
        Change::Absence {
            external_id: self.external_id.clone(),
            version: Version::of_absence(self.baseline, self.sent_at_ms),
        }
    }
}

/// Waits for other replicas; the lock lasts until the transaction ends.
pub(super) fn lock_absences(connection: &mut AnyConnection) -> Result<(), StoreError> {
    if let AnyConnection::Postgres(inner) = connection {
        inner.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK_KEY})"))?;
    }
    Ok(())
}

/// Empties rows, which are in the order of their external ids, and records it. Returns the users
/// whose rows were emptied; those of the others are newer.
pub(super) fn empty(
    connection: &mut AnyConnection,
    defaults: RowDefaults,
    now: Timestamp,
    mut found: Vec<Absence>,
) -> Result<Vec<String>, StoreError> {
    let changes: Vec<Change> = found.iter().map(Absence::change).collect();
    let results = apply(connection, defaults, now, &changes.iter().collect::<Vec<_>>())?;
    let mut results = results.into_iter();
    found.retain(|_| results.next().is_some_and(|result| result.outcome == UpsertOutcome::Updated));
    record(connection, defaults.source, &found, EMPTIED)?;
    Ok(found.into_iter().map(|absence| absence.external_id).collect())
}

/// Whether emptying `count` rows, beside those already emptied whose users are not in `ids`,
/// exceeds the limit: then the number of live rows.
pub(super) fn exceeds_limit(
    connection: &mut AnyConnection,
    source: &str,
    ids: &[&str],
    count: i64,
) -> Result<Option<i64>, StoreError> {
    let now = connection.now()?;
    // What a clock that was ahead recorded would count for longer than a day.
    let (since, until) = (now.minus(LIMIT_WINDOW), horizon(now));
    let earlier: i64 = both!(connection, |inner| absences::table
        .filter(absences::source.eq(source).and(absences::state.eq(EMPTIED)))
        .filter(absences::found_at.gt(since).and(absences::found_at.le(until)))
        .filter(absences::external_id.ne_all(ids))
        .count()
        .get_result(inner))?;
    let emptied = EmptiedRows { now: count, earlier };
    if emptied.are_always_allowed() {
        return Ok(None);
    }
    let live = count_live(connection, source)?;
    Ok(emptied.exceed_limit(live).then_some(live))
}

/// Times are the database's, by which the limit counts. A row stays recorded while it counts.
fn record(
    connection: &mut AnyConnection,
    source: &str,
    found: &[Absence],
    state: &str,
) -> Result<(), StoreError> {
    let now = connection.now()?;
    let since = now.minus(LIMIT_WINDOW);
    for absence in found {
        let row = absences::table.find((&absence.external_id, source));
        let counts = absences::state.eq(EMPTIED).and(absences::found_at.gt(since));
        if state == HELD_BACK {
            let counted = row.filter(counts).select(absences::state);
            let counted: Option<String> =
                both!(connection, |inner| counted.first(inner).optional())?;
            if counted.is_some() {
                continue;
            }
        }
        both!(connection, |inner| diesel::insert_into(absences::table)
            .values((
                absences::source.eq(source),
                absences::external_id.eq(&absence.external_id),
                absences::state.eq(state),
                absences::found_at.eq(now),
            ))
            .on_conflict((absences::external_id, absences::source))
            .do_update()
            .set((absences::state.eq(state), absences::found_at.eq(now)))
            .execute(inner))?;
    }
    Ok(())
}
