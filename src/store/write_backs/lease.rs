//! Leases: who works on a write-back, and how that ends where it came to nothing.

use crate::store::connection::{AnyConnection, both};
use crate::store::schema::{users, write_backs};
use crate::store::types::{Moment, UtcColumn};
use crate::store::{Store, StoreError, StoredUser};
use diesel::dsl::{case_when, sql};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use std::time::Duration;

/// When a claim is tried again that could not be settled, but was noted meanwhile.
const RETRY_AFTER_CHANGE: Duration = Duration::from_secs(1);

/// A lease on one user's write-back.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = write_backs)]
pub struct WriteBackLease {
    /// The provider's id of the user.
    pub external_id: String,
    pub(super) fence: i64,
    /// How often it was tried in vain.
    pub attempts: i32,
    /// A call may have been sent whose answer was never seen.
    pub outcome_unknown: bool,
    /// Our values may replace those that are there.
    pub take_over: bool,
    /// When an operator chose what the provider has not acknowledged.
    pub override_at: Option<Moment>,
}

/// How a claim ends that could not be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reschedule {
    /// When to try again.
    pub after: Duration,
    /// Why, as a closed word.
    pub why: &'static str,
    /// Whether a call may have had its effect.
    pub outcome_unknown: bool,
    /// Whether it rests until something changes; else it stays due. What changed while the claim
    /// was held counts too.
    pub rests: bool,
    /// Whether it counts as a try in vain, after which the next one comes later.
    pub counts: bool,
}

impl Store {
    /// Whether any write-back is due that nobody holds.
    pub async fn is_any_write_back_due(&self, source: &'static str) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let now = connection.now()?;
            let due = claimable(source, now).filter(write_backs::next_try_at.le(now));
            Ok(both!(connection, |inner| diesel::select(diesel::dsl::exists(due))
                .get_result(inner))?)
        })
        .await
    }

    /// The users whose write-backs are claimed next, up to `limit` of them, as their rows stand. Those
    /// of whom an operator chose something, or of whom a call's answer was lost, are looked at in
    /// any case, and left out.
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

    /// Whether there is something to tell about this user, be it that somebody is at it.
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

    /// Claims up to `most` write-backs that are due, for `lease`; that of one user where `only`
    /// says, whenever it is due.
    pub async fn claim_write_backs(
        &self,
        source: &'static str,
        only: Option<String>,
        most: i64,
        lease: Duration,
    ) -> Result<Vec<WriteBackLease>, StoreError> {
        self.write(move |connection| claim(connection, source, only.as_deref(), most, lease)).await
    }

    /// Gives a claim back, to be tried again later.
    pub async fn reschedule_write_back(
        &self,
        source: &'static str,
        claim: WriteBackLease,
        reschedule: Reschedule,
    ) -> Result<(), StoreError> {
        self.write(move |connection| postpone(connection, source, &claim, &reschedule)).await
    }
}

/// What is due and held by nobody. The state is a literal, because the index of what is due is
/// only considered for it.
#[diesel::dsl::auto_type(no_type_alias)]
fn claimable<'a>(source: &'a str, now: Moment) -> _ {
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
    lease: Duration,
) -> Result<Vec<WriteBackLease>, StoreError> {
    let now = connection.now()?;
    // What another worker holds is passed over; on SQLite nobody else is in a transaction.
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
    let mut claims: Vec<WriteBackLease> = if let Some(only) = only {
        found!(write_backs::external_id.eq(only))
    } else {
        found!(write_backs::next_try_at.le(now))
    };
    let until = now.plus(lease);
    for claim in &mut claims {
        claim.fence += 1;
        // An earlier next try than the lease's end tells of a change that was noted meanwhile.
        let lease = (
            write_backs::fence.eq(claim.fence),
            write_backs::leased_until.eq(until),
            write_backs::next_try_at.eq(until),
            write_backs::outcome_unknown.eq(true),
        );
        both!(connection, |inner| diesel::update(
            write_backs::table.find((&claim.external_id, source))
        )
        .set(lease)
        .execute(inner))?;
    }
    Ok(claims)
}

fn postpone(
    connection: &mut AnyConnection,
    source: &str,
    claim: &WriteBackLease,
    reschedule: &Reschedule,
) -> Result<(), StoreError> {
    let now = connection.now()?;
    let state = if reschedule.rests { reschedule.why } else { "due" };
    let changed = || write_backs::next_try_at.nullable().lt(write_backs::leased_until);
    both!(connection, |inner| diesel::update(
        write_backs::table.find((&claim.external_id, source))
    )
    .filter(write_backs::fence.eq(claim.fence))
    .set((
        write_backs::state.eq(case_when(changed(), "due".into_sql::<Text>()).otherwise(state)),
        write_backs::leased_until.eq(None::<Moment>),
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
