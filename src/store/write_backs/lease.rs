//! The lease of a write-back, and how it is given back where the call failed. Called by `sync`; a lease
//! that was lost changes nothing.

use crate::domain::Timestamp;
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::write_backs;
use crate::store::types::UtcColumn;
use crate::store::{Store, StoreError};
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
    /// Why the last attempt failed.
    pub last_error: Option<String>,
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
    /// The state in which it is parked until the user changes, also during the lease; else it stays
    /// due.
    pub parks_as: Option<&'static str>,
    /// Whether it counts as a failed attempt, after which the delay grows.
    pub counts: bool,
}

impl Store {
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
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Some at once: the rest a minute later.
const MOST_ENDED: i64 = 1_000;

/// Makes some of those due that were put off while the clock was ahead. A lease of that time needs no
/// end: a claim does not believe it.
pub(in crate::store) fn end_pauses_ahead(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let now = connection.now()?;
    let horizon = now.plus(LONGEST_PAUSE);
    let ahead = write_backs::table
        .filter(sql::<Bool>("state = 'due'"))
        .filter(write_backs::next_try_at.gt(horizon))
        .select((write_backs::external_id, write_backs::source))
        .limit(MOST_ENDED);
    let mut ahead: Vec<(String, String)> = both!(connection, |inner| ahead.load(inner))?;
    ahead.sort_unstable();
    for key in ahead {
        both!(connection, |inner| diesel::update(write_backs::table.find((&key.0, &key.1)))
            .filter(write_backs::next_try_at.gt(horizon))
            .set(write_backs::next_try_at.eq(now))
            .execute(inner))?;
    }
    Ok(())
}

fn release(
    connection: &mut AnyConnection,
    source: &str,
    lease: &WriteBackLease,
    reschedule: &Reschedule,
) -> Result<(), StoreError> {
    let now = connection.now()?;
    let state = reschedule.parks_as.unwrap_or("due");
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
