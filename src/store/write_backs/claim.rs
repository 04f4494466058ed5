//! Which write-backs are due, and the claim of some of them. Called by `sync`.

use super::lease::{LONGEST_PAUSE, WriteBackLease};
use crate::domain::Timestamp;
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::{users, write_backs};
use crate::store::types::UtcColumn;
use crate::store::{Store, StoreError, StoredUser, user_calls};
use diesel::dsl::{case_when, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use std::time::Duration;

/// What a claim found to be due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimedWriteBacks {
    pub leases: Vec<WriteBackLease>,
    pub postponed: Vec<PostponedWriteBack>,
}

impl ClaimedWriteBacks {
    /// How many were looked at: there may be more where it is as many as were asked for.
    pub const fn taken_up(&self) -> usize {
        self.leases.len() + self.postponed.len()
    }
}

/// A write-back that waits, since what was written to its user lately did not last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostponedWriteBack {
    pub external_id: String,
    /// How often the user was written to within a day.
    pub writes: usize,
    pub wait: Duration,
}

impl Store {
    /// Whether a write-back is due and not leased.
    pub async fn is_any_write_back_due(&self, source: &'static str) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let now = connection.now()?;
            let due = claimable(source, now).filter(write_backs::next_try_at.le(now));
            Ok(both!(connection, |inner| diesel::select(diesel::dsl::exists(due))
                .get_result(inner))?)
        })
        .await
    }

    /// The rows of up to `limit` users whose write-backs are claimed next; not those with an
    /// override, or after a lost answer, which are fetched in any case.
    pub async fn next_write_backs(
        &self,
        source: &'static str,
        limit: i64,
    ) -> Result<Vec<StoredUser>, StoreError> {
        self.read(move |connection| {
            let now = connection.now()?;
            let next = claimable(source, now)
                .filter(write_backs::next_try_at.le(now))
                .filter(
                    write_backs::override_at.is_null().and(write_backs::outcome_unknown.eq(false)),
                )
                .order((write_backs::next_try_at, write_backs::external_id))
                .select(write_backs::external_id)
                .limit(limit);
            let ids: Vec<String> = both!(connection, |inner| next.load(inner))?;
            Ok(both!(connection, |inner| users::table
                .filter(users::external_id.eq_any(&ids).and(users::source.eq(source)))
                .select(StoredUser::as_select())
                .load(inner))?)
        })
        .await
    }

    /// Whether a write-back for this user is due, leased or not.
    pub async fn is_write_back_due(
        &self,
        source: &'static str,
        external_id: String,
    ) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let due =
                write_backs::table.find((external_id, source)).filter(write_backs::state.eq("due"));
            Ok(both!(connection, |inner| diesel::select(diesel::dsl::exists(due))
                .get_result(inner))?)
        })
        .await
    }

    /// Whether a worker has, or may claim now, the write-back of this user.
    pub async fn is_write_back_under_way(
        &self,
        source: &'static str,
        external_id: String,
    ) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let now = connection.now()?;
            let is_claimed_or_may_be =
                write_backs::next_try_at.le(now).nullable().or(write_backs::leased_until.gt(now));
            let found = write_backs::table
                .find((external_id, source))
                .filter(write_backs::state.eq("due"))
                .filter(is_claimed_or_may_be);
            Ok(both!(connection, |inner| diesel::select(diesel::dsl::exists(found))
                .get_result(inner))?)
        })
        .await
    }

    /// Claims up to `most` due write-backs for `duration`; or that of `only`, before its time too,
    /// unless it waits after an attempt that counts: no pause is shortened by signing in again. Those
    /// of users who were written to too often are postponed.
    pub async fn claim_write_backs(
        &self,
        source: &'static str,
        only: Option<String>,
        most: i64,
        duration: Duration,
    ) -> Result<ClaimedWriteBacks, StoreError> {
        self.write(move |connection| claim(connection, source, only.as_deref(), most, duration))
            .await
    }
}

/// Due and not leased; a lease that ends later than any was given while the clock was ahead. The state
/// is a literal, so that PostgreSQL uses the index of due rows.
#[diesel::dsl::auto_type(no_type_alias)]
fn claimable<'a>(source: &'a str, now: Timestamp) -> _ {
    let is_due: diesel::expression::SqlLiteral<Bool> = sql::<Bool>("state = 'due'");
    let horizon: Timestamp = now.plus(LONGEST_PAUSE);
    write_backs::table.filter(is_due).filter(write_backs::source.eq(source)).filter(
        write_backs::leased_until
            .is_null()
            .or(write_backs::leased_until.lt(now))
            .or(write_backs::leased_until.gt(horizon)),
    )
}

fn claim(
    connection: &mut AnyConnection,
    source: &str,
    only: Option<&str>,
    most: i64,
    duration: Duration,
) -> Result<ClaimedWriteBacks, StoreError> {
    let now = connection.now()?;
    // Rows of another worker are skipped; on SQLite there is one writer.
    macro_rules! found {
        ($which:expr) => {{
            let found = claimable(source, now)
                .filter($which)
                .order((write_backs::next_try_at, write_backs::external_id))
                .limit(most);
            match connection {
                AnyConnection::Postgres(inner) => found
                    .select(WriteBackLease::as_select())
                    .for_update()
                    .skip_locked()
                    .load(inner)?,
                AnyConnection::Sqlite(inner) => {
                    found.select(WriteBackLease::as_select()).load(inner)?
                }
            }
        }};
    }
    let found: Vec<WriteBackLease> = if let Some(only) = only {
        let may_be_early = write_backs::attempts.eq(0).or(write_backs::next_try_at.le(now));
        found!(write_backs::external_id.eq(only).and(may_be_early))
    } else {
        found!(write_backs::next_try_at.le(now))
    };
    let mut claimed = without_postponed(connection, source, found, now)?;
    let until = now.plus(duration);
    for lease in &mut claimed.leases {
        lease.fence += 1;
        // A change that is enqueued meanwhile shows as a next attempt before the lease's end.
        let columns = (
            write_backs::fence.eq(lease.fence),
            write_backs::leased_until.eq(until),
            write_backs::next_try_at.eq(until),
            write_backs::outcome_unknown.eq(true),
        );
        both!(connection, |inner| diesel::update(
            write_backs::table.find((&lease.external_id, source))
        )
        .set(columns)
        .execute(inner))?;
    }
    Ok(claimed)
}

/// The next attempt, or `at` where that is later.
#[diesel::dsl::auto_type(no_type_alias)]
fn later(at: Timestamp) -> _ {
    let at = at.into_sql::<UtcColumn>();
    case_when(write_backs::next_try_at.lt(at), at).otherwise(write_backs::next_try_at)
}

/// Postpones those of users who were written to too often.
fn without_postponed(
    connection: &mut AnyConnection,
    source: &str,
    found: Vec<WriteBackLease>,
    now: Timestamp,
) -> Result<ClaimedWriteBacks, StoreError> {
    let mut claimed = ClaimedWriteBacks::default();
    if found.is_empty() {
        return Ok(claimed);
    }
    let ids: Vec<&str> = found.iter().map(|lease| lease.external_id.as_str()).collect();
    let logs = user_calls::patch_logs(connection, source, &ids)?;
    for lease in found {
        let log = logs.get(&lease.external_id);
        let wait = log.map_or(Duration::ZERO, |log| log.wait(now));
        if wait.is_zero() {
            claimed.leases.push(lease);
            continue;
        }
        both!(connection, |inner| diesel::update(
            write_backs::table.find((&lease.external_id, source))
        )
        .set(write_backs::next_try_at.eq(later(now.plus(wait))))
        .execute(inner))?;
        let writes = log.map_or(0, |log| log.count(now));
        claimed.postponed.push(PostponedWriteBack { external_id: lease.external_id, writes, wait });
    }
    Ok(claimed)
}
