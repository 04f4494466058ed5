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
use super::subject::{self, Choice, Chosen, Subject};
use super::types::Moment;
use crate::domain::write_back::{self, Due};
use crate::domain::{Change, Fill, MetadataNames, Snapshot, Version, Words};
use crate::ingest::Terms;
use diesel::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// What a write-back's state can be: due, or why it rests.
pub const STATES: [&str; 5] = ["due", "conflict_id", "conflict_role", "rejected", "held_back"];

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
    /// There is more to tell, now.
    More,
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
    /// Whether it rests until something changes; else it stays due.
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

fn claim(
    connection: &mut AnyConnection,
    source: &str,
    only: Option<&str>,
    most: i64,
    lease: Duration,
) -> Result<Vec<Claim>, StoreError> {
    let now = connection.now()?;
    // What another worker holds is passed over; on SQLite nobody else is in a transaction.
    macro_rules! claimable {
        ($which:expr) => {{
            let found = write_backs::table
                .filter($which.and(write_backs::source.eq(source)))
                .filter(write_backs::state.eq("due"))
                .filter(write_backs::leased_until.is_null().or(write_backs::leased_until.lt(now)))
                .order(write_backs::next_try_at)
                .limit(most)
                .select(CLAIM);
            match connection {
                AnyConnection::Postgres(inner) => found.for_update().skip_locked().load(inner)?,
                AnyConnection::Sqlite(inner) => found.load(inner)?,
            }
        }};
    }
    let mut claims: Vec<Claim> = if let Some(only) = only {
        claimable!(write_backs::external_id.eq(only))
    } else {
        claimable!(write_backs::next_try_at.le(now))
    };
    for claim in &mut claims {
        claim.fence += 1;
        let lease = (
            write_backs::fence.eq(claim.fence),
            write_backs::leased_until.eq(now.plus(lease)),
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
    let subject = subject::lock(connection, source, &claim.external_id)?;
    let Some(held) = hold(connection, source, claim)? else {
        return Ok(Settlement::Lost);
    };
    let Some(mut subject) = subject.filter(Subject::is_live) else {
        return complete(connection, source, claim);
    };
    let choice = acknowledged(&subject, answer.as_ref(), held.chosen_at);
    if choice != Choice::default() {
        subject::choose(connection, &mut subject, &rules.words, &choice, now)?;
    }
    let due = rules.due(&subject, held.take_over);
    // A choice that stands was not acknowledged: the row shows it by too old a snapshot.
    if !due.fill.is_empty() || subject.set_role.is_some() || subject.set_plan.is_some() {
        return Ok(Settlement::More);
    }
    let Some(conflict) = due.conflict else {
        return complete(connection, source, claim);
    };
    rest(connection, source, claim, conflict.as_str())?;
    Ok(Settlement::Conflict(conflict))
}

/// The row as it stands now, where the claim still holds it.
fn hold(
    connection: &mut AnyConnection,
    source: &str,
    claim: &Claim,
) -> Result<Option<Claim>, StoreError> {
    Ok(both!(connection, |inner| write_backs::table
        .find((&claim.external_id, source))
        .filter(write_backs::fence.eq(claim.fence))
        .select(CLAIM)
        .first(inner)
        .optional())?)
}

/// Which choices of an operator the provider has taken over. After sending, the row shows the
/// value, or something later than the answer; after a look that came later than the choice, it
/// shows the value. A choice that changed meanwhile stays.
fn acknowledged(
    subject: &Subject,
    answer: Option<&(Change, Fill)>,
    chosen_at: Option<Moment>,
) -> Choice {
    let sent = answer.map(|(_, sent)| sent);
    let answered_at = answer.map(|(change, _)| change.updated_at_ms());
    let overtaken = answered_at.is_some_and(|at| subject.version_updated_at > at);
    let chosen_at_ms = chosen_at.map_or(0, Moment::as_millis);
    let looked =
        subject.version_kind == Version::KIND_FETCHED && subject.version_seen_at >= chosen_at_ms;
    let ends = |set: &Option<String>, sent: Option<&String>, shown: &Option<String>| {
        let shows = set == shown;
        let done = set.as_ref().is_some_and(|set| match sent {
            Some(sent) if sent == set => shows || overtaken,
            _ => shows && looked,
        });
        if done { Chosen::Nothing } else { Chosen::AsItIs }
    };
    Choice {
        role: ends(
            &subject.set_role,
            sent.and_then(|sent| sent.role.as_ref()),
            &subject.source_role,
        ),
        plan: ends(
            &subject.set_plan,
            sent.and_then(|sent| sent.plan.as_ref()),
            &subject.source_plan,
        ),
    }
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
    both!(connection, |inner| diesel::update(
        write_backs::table.find((&claim.external_id, source))
    )
    .filter(write_backs::fence.eq(claim.fence))
    .set((
        write_backs::state.eq(state),
        write_backs::leased_until.eq(None::<Moment>),
        write_backs::unsure.eq(postponement.unsure),
        write_backs::attempts.eq(write_backs::attempts + 1),
        write_backs::next_try_at.eq(now.plus(postponement.after)),
        write_backs::last_error.eq(postponement.why),
    ))
    .execute(inner))?;
    Ok(())
}

/// Notes that the provider may have to be told about a user.
fn note(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
    now: Moment,
) -> Result<(), StoreError> {
    both!(connection, |inner| diesel::insert_into(write_backs::table)
        .values((
            write_backs::source.eq(source),
            write_backs::external_id.eq(external_id),
            write_backs::next_try_at.eq(now),
            write_backs::created_at.eq(now),
        ))
        .on_conflict((write_backs::external_id, write_backs::source))
        .do_update()
        .set((write_backs::state.eq("due"), write_backs::next_try_at.eq(now)))
        .execute(inner))?;
    Ok(())
}

/// Likewise, because an operator chose something.
pub(super) fn note_choice(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
    now: Moment,
) -> Result<(), StoreError> {
    note(connection, source, external_id, now)?;
    both!(connection, |inner| diesel::update(write_backs::table.find((external_id, source)))
        .set(write_backs::chosen_at.eq(now))
        .execute(inner))?;
    Ok(())
}
