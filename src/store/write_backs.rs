//! What the provider is to be told: an outbox of one row a user, and the lease on each.
//!
//! Rows come to be in the transaction of the change that calls for them (`batch::sql::noted`,
//! [`note_choice`]). A worker of `sync` claims some, looks, sends and settles. All times are the
//! database's clock; each claim raises the row's fence, and whoever holds an older one changes
//! nothing any more. Tables are touched in one order: users, then this one.

use super::Store;
use super::changes::apply;
use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::write_backs;
use super::types::{Moment, Utc};
use super::users::{self, Choice, Chosen, Subject};
use crate::domain::write_back::{self, Due};
use crate::domain::{Change, Fill, MetadataNames, Snapshot, Words};
use crate::ingest::Terms;
use diesel::dsl::{case_when, sql};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// When a claim is tried again that could not be settled, but was noted meanwhile.
const NOTED_AGAIN: Duration = Duration::from_secs(1);

/// A lease on one user's write-back.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Claim {
    /// The provider's id of the user.
    pub external_id: String,
    fence: i64,
    /// How often it was tried in vain.
    pub attempts: i32,
    /// A call may have been sent whose answer was never seen.
    pub unsure: bool,
    /// Our values may replace those that are there.
    pub take_over: bool,
    /// When an operator chose what the provider has not acknowledged.
    pub chosen_at: Option<Moment>,
}

/// The columns of a [`Claim`].
type ClaimColumns = (
    write_backs::external_id,
    write_backs::fence,
    write_backs::attempts,
    write_backs::unsure,
    write_backs::take_over,
    write_backs::chosen_at,
);

const CLAIM: ClaimColumns = (
    write_backs::external_id,
    write_backs::fence,
    write_backs::attempts,
    write_backs::unsure,
    write_backs::take_over,
    write_backs::chosen_at,
);

/// A write-back as operators see it.
#[derive(Clone, Debug, Queryable, Selectable, Serialize)]
#[diesel(table_name = write_backs)]
pub struct Listed {
    external_id: String,
    state: String,
    attempts: i32,
    next_try_at: Moment,
    last_error: Option<String>,
    created_at: Moment,
}

impl Listed {
    /// The provider's id of the user: the last one of a page is the cursor of the next.
    pub fn external_id(&self) -> &str {
        &self.external_id
    }
}

/// What holds for deciding what to send.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What holds for every row.
    pub terms: Terms,
    /// Known roles and plans.
    pub words: Words,
    /// Where our values stand.
    pub names: MetadataNames,
}

impl Rules {
    /// What is to be done about a user.
    pub fn due(&self, subject: &Subject, take_over: bool) -> Due {
        let public_metadata: Map<String, Value> =
            serde_json::from_str(&subject.public_metadata.0).unwrap_or_default();
        let holding = write_back::Holding {
            id: &subject.id,
            set_role: subject.set_role.as_deref(),
            set_plan: subject.set_plan.as_deref(),
            public_metadata: &public_metadata,
        };
        write_back::due(holding, &self.names, &self.words.roles, take_over)
    }
}

/// What the provider answered.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    /// The user as of then.
    pub snapshot: Snapshot,
    /// What had been sent; nothing where we only looked.
    pub sent: Fill,
}

/// Where a write-back stands after it was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// There is nothing more to tell.
    Done,
    /// A conflict stands in the way.
    Conflict(write_back::Conflict),
    /// There is more to tell, now; the claim as it stands after all that was noted meanwhile.
    More(Claim),
    /// Another worker holds the lease.
    Lost,
}

/// How a claim ends that could not be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postponement {
    /// When to try again.
    pub after: Duration,
    /// Why, as a closed word.
    pub why: &'static str,
    /// Whether a call may have had its effect.
    pub unsure: bool,
    /// Whether it rests until something changes; else it stays due. What changed while the claim
    /// was held counts too.
    pub rests: bool,
}

impl Store {
    /// Claims up to `most` write-backs that are due, for `lease`; that of one user where `only`
    /// says, whenever it is due.
    pub async fn claim_write_backs(
        &self,
        source: &'static str,
        only: Option<String>,
        most: i64,
        lease: Duration,
    ) -> Result<Vec<Claim>, StoreError> {
        self.change(move |connection| claim(connection, source, only.as_deref(), most, lease)).await
    }

    /// Applies what the provider answered, ends choices that it acknowledges, and completes the
    /// write-back where nothing is left to tell; all in one transaction.
    pub async fn settle_write_back(
        &self,
        rules: Rules,
        now: Moment,
        claim: Claim,
        acknowledgement: Option<Acknowledgement>,
    ) -> Result<Settlement, StoreError> {
        self.change(move |connection| settle(connection, &rules, now, &claim, acknowledgement))
            .await
    }

    /// Gives a claim back, to be tried again later.
    pub async fn postpone_write_back(
        &self,
        source: &'static str,
        claim: Claim,
        postponement: Postponement,
    ) -> Result<(), StoreError> {
        self.change(move |connection| postpone(connection, source, &claim, &postponement)).await
    }

    /// Lets our values replace what the provider holds for these users, and makes that due.
    pub async fn take_over(
        &self,
        source: &'static str,
        external_id: String,
        now: Moment,
    ) -> Result<(), StoreError> {
        self.change(move |connection| {
            note(connection, source, &external_id, now)?;
            both!(connection, |inner| diesel::update(
                write_backs::table.find((&external_id, source))
            )
            .set(write_backs::take_over.eq(true))
            .execute(inner))?;
            Ok(())
        })
        .await
    }

    /// Up to `limit` write-backs behind the user `after`, of one state where it is given.
    pub async fn list_write_backs(
        &self,
        source: &'static str,
        state: Option<String>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<Listed>, StoreError> {
        self.read(move |connection| {
            Ok(both!(connection, |inner| {
                let mut query = write_backs::table.select(Listed::as_select()).into_boxed();
                query = query.filter(write_backs::source.eq(source));
                if let Some(state) = &state {
                    query = query.filter(write_backs::state.eq(state));
                }
                if let Some(after) = &after {
                    query = query.filter(write_backs::external_id.gt(after));
                }
                query.order(write_backs::external_id).limit(limit).load(inner)
            })?)
        })
        .await
    }

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

    /// How many write-backs there are of each state.
    pub async fn count_write_backs(
        &self,
        source: &'static str,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        self.read(move |connection| {
            Ok(both!(connection, |inner| write_backs::table
                .filter(write_backs::source.eq(source))
                .group_by(write_backs::state)
                .select((write_backs::state, diesel::dsl::count_star()))
                .load(inner))?)
        })
        .await
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
) -> Result<Vec<Claim>, StoreError> {
    let now = connection.now()?;
    // What another worker holds is passed over; on SQLite nobody else is in a transaction.
    macro_rules! found {
        ($which:expr) => {{
            let found = claimable(source, now)
                .filter($which)
                .order(write_backs::next_try_at)
                .limit(most)
                .select(CLAIM);
            match connection {
                AnyConnection::Postgres(inner) => found.for_update().skip_locked().load(inner)?,
                AnyConnection::Sqlite(inner) => found.load(inner)?,
            }
        }};
    }
    let mut claims: Vec<Claim> = match only {
        Some(only) => found!(write_backs::external_id.eq(only)),
        None => found!(write_backs::next_try_at.le(now)),
    };
    let until = now.plus(lease);
    for claim in &mut claims {
        claim.fence += 1;
        // An earlier next try than the lease's end tells of a change that was noted meanwhile.
        let lease = (
            write_backs::fence.eq(claim.fence),
            write_backs::leased_until.eq(until),
            write_backs::next_try_at.eq(until),
            write_backs::unsure.eq(true),
        );
        both!(connection, |inner| diesel::update(
            write_backs::table.find((&claim.external_id, source))
        )
        .set(lease)
        .execute(inner))?;
    }
    Ok(claims)
}

fn settle(
    connection: &mut AnyConnection,
    rules: &Rules,
    now: Moment,
    claim: &Claim,
    acknowledgement: Option<Acknowledgement>,
) -> Result<Settlement, StoreError> {
    let source = rules.terms.source;
    let answer =
        acknowledgement.map(|answer| (Change::Snapshot(Box::new(answer.snapshot)), answer.sent));
    if let Some((change, _)) = &answer {
        apply(connection, rules.terms, now, std::slice::from_ref(change))?;
    }
    let subject = users::lock(connection, source, &claim.external_id)?;
    let Some(held) = hold(connection, source, claim)? else {
        return Ok(Settlement::Lost);
    };
    let Some(mut subject) = subject.filter(Subject::is_live) else {
        return complete(connection, source, claim);
    };
    let choice = acknowledged(&subject, answer.as_ref(), held.chosen_at == claim.chosen_at);
    if choice != Choice::default() {
        users::choose(connection, &mut subject, &rules.words, &choice, now)?;
    }
    let due = rules.due(&subject, held.take_over);
    // A choice that stands was not acknowledged: nobody has looked since it was made.
    if !due.fill.is_empty() || subject.set_role.is_some() || subject.set_plan.is_some() {
        return go_on(connection, source, held);
    }
    let Some(conflict) = due.conflict else {
        return complete(connection, source, claim);
    };
    rest(connection, source, claim, conflict.as_str())?;
    Ok(Settlement::Conflict(conflict))
}

/// The row as it stands now, where the claim still holds it; on PostgreSQL nobody else changes it
/// until the transaction ends. After the user: everybody locks in that order.
fn hold(
    connection: &mut AnyConnection,
    source: &str,
    claim: &Claim,
) -> Result<Option<Claim>, StoreError> {
    let held = write_backs::table
        .find((&claim.external_id, source))
        .filter(write_backs::fence.eq(claim.fence))
        .select(CLAIM);
    Ok(match connection {
        AnyConnection::Postgres(inner) => held.for_update().first(inner).optional()?,
        AnyConnection::Sqlite(inner) => held.first(inner).optional()?,
    })
}

/// Which choices of an operator the provider has taken over. After sending, the row shows the
/// value, or something later than the answer; after a look, it shows the value. An answer tells of
/// the choice only where that `stood` when the provider was asked.
fn acknowledged(subject: &Subject, answer: Option<&(Change, Fill)>, stood: bool) -> Choice {
    let Some((answered, sent)) = answer else {
        return Choice::default();
    };
    let overtaken = subject.version_updated_at > answered.updated_at_ms();
    let ends = |set: &Option<String>, sent: &Option<String>, shown: &Option<String>| {
        let shows = set == shown;
        let done = if set == sent { shows || overtaken } else { shows && stood };
        if set.is_some() && done { Chosen::Nothing } else { Chosen::AsItIs }
    };
    Choice {
        role: ends(&subject.set_role, &sent.role, &subject.source_role),
        plan: ends(&subject.set_plan, &sent.plan, &subject.source_plan),
    }
}

/// Keeps the claim: all that was noted so far is known now, and an answer was seen.
fn go_on(
    connection: &mut AnyConnection,
    source: &str,
    held: Claim,
) -> Result<Settlement, StoreError> {
    let lease_end = write_backs::leased_until.assume_not_null();
    both!(connection, |inner| diesel::update(
        write_backs::table.find((&held.external_id, source))
    )
    .set(write_backs::next_try_at.eq(lease_end))
    .execute(inner))?;
    Ok(Settlement::More(Claim { unsure: false, ..held }))
}

fn complete(
    connection: &mut AnyConnection,
    source: &str,
    claim: &Claim,
) -> Result<Settlement, StoreError> {
    both!(connection, |inner| diesel::delete(
        write_backs::table.find((&claim.external_id, source))
    )
    .execute(inner))?;
    Ok(Settlement::Done)
}

/// Lets a write-back rest until the user changes.
fn rest(
    connection: &mut AnyConnection,
    source: &str,
    claim: &Claim,
    state: &str,
) -> Result<(), StoreError> {
    both!(connection, |inner| diesel::update(
        write_backs::table.find((&claim.external_id, source))
    )
    .set((
        write_backs::state.eq(state),
        write_backs::leased_until.eq(None::<Moment>),
        write_backs::unsure.eq(false),
        write_backs::attempts.eq(0),
    ))
    .execute(inner))?;
    Ok(())
}

fn postpone(
    connection: &mut AnyConnection,
    source: &str,
    claim: &Claim,
    postponement: &Postponement,
) -> Result<(), StoreError> {
    let now = connection.now()?;
    let state = if postponement.rests { postponement.why } else { "due" };
    let noted = || write_backs::next_try_at.nullable().lt(write_backs::leased_until);
    both!(connection, |inner| diesel::update(
        write_backs::table.find((&claim.external_id, source))
    )
    .filter(write_backs::fence.eq(claim.fence))
    .set((
        write_backs::state.eq(case_when(noted(), "due".into_sql::<Text>()).otherwise(state)),
        write_backs::leased_until.eq(None::<Moment>),
        write_backs::unsure.eq(postponement.unsure),
        write_backs::attempts.eq(write_backs::attempts + 1),
        write_backs::next_try_at.eq(case_when(noted(), now.plus(NOTED_AGAIN).into_sql::<Utc>())
            .otherwise(now.plus(postponement.after))),
        write_backs::last_error.eq(postponement.why),
    ))
    .execute(inner))?;
    Ok(())
}

/// Notes that the provider may have to be told about a user. A note never puts off what is due
/// earlier, else a user who changes often would never come first.
fn note(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
    created_at: Moment,
) -> Result<(), StoreError> {
    let now = connection.now()?;
    both!(connection, |inner| diesel::insert_into(write_backs::table)
        .values((
            write_backs::source.eq(source),
            write_backs::external_id.eq(external_id),
            write_backs::next_try_at.eq(now),
            write_backs::created_at.eq(created_at),
        ))
        .on_conflict((write_backs::external_id, write_backs::source))
        .do_update()
        .set((write_backs::state.eq("due"), write_backs::next_try_at.eq(earlier(now))))
        .execute(inner))?;
    Ok(())
}

/// The next try that stands, or `at` where that is earlier.
#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn earlier(at: Moment) -> _ {
    let at = at.into_sql::<Utc>();
    case_when(write_backs::next_try_at.gt(at), at).otherwise(write_backs::next_try_at)
}

/// Likewise, because an operator chose something. The time of the choice is the database's: it
/// tells one choice from the next.
pub(super) fn note_choice(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
    created_at: Moment,
) -> Result<(), StoreError> {
    note(connection, source, external_id, created_at)?;
    let now = connection.now()?;
    both!(connection, |inner| diesel::update(write_backs::table.find((external_id, source)))
        .set(write_backs::chosen_at.eq(now))
        .execute(inner))?;
    Ok(())
}
