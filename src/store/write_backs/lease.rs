//! Claims write-backs, and reschedules those whose call failed. Called by `sync`; a claim that was
//! lost changes nothing.

use crate::domain::Timestamp;
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::{users, write_backs};
use crate::store::types::UtcColumn;
use crate::store::{Store, StoreError, StoredUser};
use diesel::dsl::{case_when, sql};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use std::time::Duration;

/// Delay of an attempt that failed, but whose user changed meanwhile.
const RETRY_AFTER_CHANGE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = write_backs)]
pub struct WriteBackLease {
    pub external_id: String,
    pub(super) fence: i64,
    /// How many attempts failed so far.
    pub attempts: i32,
    /// A call may have been sent whose answer was lost.
    pub outcome_unknown: bool,
    /// Our values may replace the provider's.
    pub take_over: bool,
    /// When an override was set that the provider has not acknowledged.
    pub override_at: Option<Timestamp>,
}

/// How an attempt that failed is rescheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reschedule {
    pub after: Duration,
    /// A word of a closed set, shown to operators.
    pub why: &'static str,
    /// Whether a call may have had its effect.
    pub outcome_unknown: bool,
    /// Whether it is parked until the user changes, also during the lease; else it stays due.
    pub parks: bool,
    /// Whether it counts as a failed attempt, after which the delay grows.
    pub counts: bool,
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

    /// Claims up to `most` due write-backs for `duration`; or that of `only`, before its time too.
    pub async fn claim_write_backs(
        &self,
        source: &'static str,
        only: Option<String>,
        most: i64,
        duration: Duration,
    ) -> Result<Vec<WriteBackLease>, StoreError> {
        self.write(move |connection| claim(connection, source, only.as_deref(), most, duration))
            .await
    }

    /// Gives a lease back, to try again later.
    pub async fn reschedule_write_back(
        &self,
        source: &'static str,
        lease: WriteBackLease,
        reschedule: Reschedule,
    ) -> Result<(), StoreError> {
        self.write(move |connection| release(connection, source, &lease, &reschedule)).await
    }
}

/// Longer than any lease, and than any pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes those due that were put off while the clock was ahead.
pub(in crate::store) fn end_pauses_ahead(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let now = connection.now()?;
    let horizon = now.plus(LONGEST_PAUSE);
    let lies_ahead = write_backs::next_try_at.gt(horizon).or(write_backs::leased_until.gt(horizon));
    both!(connection, |inner| diesel::update(write_backs::table)
        .filter(write_backs::state.eq("due").and(lies_ahead.assume_not_null()))
        .set((write_backs::next_try_at.eq(now), write_backs::leased_until.eq(None::<Timestamp>)))
        .execute(inner))?;
    Ok(())
}

/// Due and not leased. The state is a literal, so that PostgreSQL uses the index of due rows.
#[diesel::dsl::auto_type(no_type_alias)]
fn claimable<'a>(source: &'a str, now: Timestamp) -> _ {
    let is_due: diesel::expression::SqlLiteral<Bool> = sql::<Bool>("state = 'due'");
    write_backs::table
        .filter(is_due)
        .filter(write_backs::source.eq(source))
        .filter(write_backs::leased_until.is_null().or(write_backs::leased_until.lt(now)))
}

fn claim(
    connection: &mut AnyConnection,
    source: &str,
    only: Option<&str>,
    most: i64,
    duration: Duration,
) -> Result<Vec<WriteBackLease>, StoreError> {
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
    let mut leases: Vec<WriteBackLease> = if let Some(only) = only {
        found!(write_backs::external_id.eq(only))
    } else {
        found!(write_backs::next_try_at.le(now))
    };
    let until = now.plus(duration);
    for lease in &mut leases {
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
    Ok(leases)
}

fn release(
    connection: &mut AnyConnection,
    source: &str,
    lease: &WriteBackLease,
    reschedule: &Reschedule,
) -> Result<(), StoreError> {
    let now = connection.now()?;
    let state = if reschedule.parks { reschedule.why } else { "due" };
    let changed = || write_backs::next_try_at.nullable().lt(write_backs::leased_until);
    both!(connection, |inner| diesel::update(
        write_backs::table.find((&lease.external_id, source))
    )
    .filter(write_backs::fence.eq(lease.fence))
    .set((
        write_backs::state.eq(case_when(changed(), "due".into_sql::<Text>()).otherwise(state)),
        write_backs::leased_until.eq(None::<Timestamp>),
        write_backs::outcome_unknown.eq(reschedule.outcome_unknown),
        write_backs::attempts.eq(write_backs::attempts + i32::from(reschedule.counts)),
        write_backs::next_try_at.eq(case_when(
            changed(),
            now.plus(RETRY_AFTER_CHANGE).into_sql::<UtcColumn>()
        )
        .otherwise(now.plus(reschedule.after))),
        write_backs::last_error.eq(reschedule.why),
    ))
    .execute(inner))?;
    Ok(())
}
