//! Completes a write-back: applies the provider's answer, ends overrides that it acknowledges, and
//! deletes the row of the outbox where nothing is left to send. Called by `sync` under a lease, in
//! one transaction.

use super::WriteBackPolicy;
use super::lease::WriteBackLease;
use crate::domain::write_back::Conflict;
use crate::domain::{Change, MetadataPatch, OverrideChanges, Snapshot};
use crate::domain::{Timestamp, overrides::AnswerAge};
use crate::store::changes::apply;
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::write_backs;
use crate::store::stored_user::{self, StoredUser};
use crate::store::{Store, StoreError, user_calls};
use diesel::prelude::*;
use serde_json::{Map, Value};

#[derive(Clone, Debug)]
pub struct Acknowledgement {
    /// The user as of the answer.
    pub snapshot: Snapshot,
    /// Empty where the service only fetched.
    pub sent: MetadataPatch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteBackStatus {
    Done,
    Conflict(Conflict),
    /// More is to be sent now; the lease with all that was enqueued meanwhile.
    More(WriteBackLease),
    /// The answer does not show what was sent, and no operator ordered anything meanwhile. The lease is
    /// held.
    NotKept(WriteBackLease),
    Lost,
}

impl Acknowledgement {
    /// Whether the provider kept all that was sent.
    fn shows_all(&self, policy: &WriteBackPolicy) -> bool {
        let shown: Map<String, Value> =
            serde_json::from_str(&self.snapshot.profile.public_metadata).unwrap_or_default();
        self.sent.is_in(&shown, &policy.names)
    }
}

impl Store {
    /// Applies the answer, ends acknowledged overrides, and deletes the write-back where nothing is
    /// left to send; in one transaction.
    pub async fn complete_write_back(
        &self,
        policy: WriteBackPolicy,
        now: Timestamp,
        lease: WriteBackLease,
        acknowledgement: Option<Acknowledgement>,
    ) -> Result<WriteBackStatus, StoreError> {
        self.write(move |connection| {
            apply_answer(connection, &policy, now, &lease, acknowledgement)
        })
        .await
    }
}

fn apply_answer(
    connection: &mut AnyConnection,
    policy: &WriteBackPolicy,
    now: Timestamp,
    lease: &WriteBackLease,
    acknowledgement: Option<Acknowledgement>,
) -> Result<WriteBackStatus, StoreError> {
    let source = policy.defaults.source;
    let is_kept = acknowledgement.as_ref().is_none_or(|answer| answer.shows_all(policy));
    let answer =
        acknowledgement.map(|answer| (Change::Snapshot(Box::new(answer.snapshot)), answer.sent));
    if let Some((change, _)) = &answer {
        apply(connection, policy.defaults, now, &[change])?;
    }
    let stored = stored_user::lock(connection, source, &lease.external_id)?;
    let Some(current) = lock(connection, source, lease)? else {
        return Ok(WriteBackStatus::Lost);
    };
    if answer.as_ref().is_some_and(|(_, sent)| !sent.is_empty()) {
        user_calls::log_patch(connection, source, &lease.external_id)?;
    }
    let Some(mut stored) = stored.filter(StoredUser::is_live) else {
        return delete(connection, source, lease);
    };
    let overrides =
        acknowledged(&stored, answer.as_ref(), current.override_at == lease.override_at);
    if overrides != OverrideChanges::default() {
        stored_user::set_override(connection, &mut stored, &policy.entitlements, &overrides, now)?;
    }
    let plan = policy.plan(&stored, current.take_over);
    // An override that is left was not acknowledged: the provider was not asked since.
    if !plan.patch.is_empty() || stored.set_role.is_some() || stored.set_plan.is_some() {
        let is_ordered_anew =
            (current.override_at, current.take_over) != (lease.override_at, lease.take_over);
        let goes_on = is_kept || is_ordered_anew;
        let status = if goes_on { WriteBackStatus::More } else { WriteBackStatus::NotKept };
        return keep(connection, source, current).map(status);
    }
    let Some(conflict) = plan.conflict else {
        return delete(connection, source, lease);
    };
    park(connection, source, lease, conflict.as_str())?;
    Ok(WriteBackStatus::Conflict(conflict))
}

/// Locks the write-back if the lease is still held; after the user, as all writers do.
fn lock(
    connection: &mut AnyConnection,
    source: &str,
    lease: &WriteBackLease,
) -> Result<Option<WriteBackLease>, StoreError> {
    let row = write_backs::table
        .find((&lease.external_id, source))
        .filter(write_backs::fence.eq(lease.fence));
    Ok(match connection {
        AnyConnection::Postgres(inner) => {
            row.select(WriteBackLease::as_select()).for_update().first(inner).optional()?
        }
        AnyConnection::Sqlite(inner) => {
            row.select(WriteBackLease::as_select()).first(inner).optional()?
        }
    })
}

/// Which overrides the answer ends.
fn acknowledged(
    stored: &StoredUser,
    answer: Option<&(Change, MetadataPatch)>,
    follows_override: bool,
) -> OverrideChanges {
    let Some((answered, sent)) = answer else {
        return OverrideChanges::default();
    };
    let age = AnswerAge {
        was_overtaken: stored.version_updated_at > answered.updated_at_ms(),
        follows_override,
    };
    let ends = |set: &Option<String>, sent: &Option<String>, shown: &Option<String>| {
        age.acknowledge(set.as_deref(), sent.as_deref(), shown.as_deref())
    };
    OverrideChanges {
        role: ends(&stored.set_role, &sent.role, &stored.source_role),
        plan: ends(&stored.set_plan, &sent.plan, &stored.source_plan),
    }
}

/// Keeps the lease: all that was enqueued so far is known now, and the outcome of the call is too.
fn keep(
    connection: &mut AnyConnection,
    source: &str,
    current: WriteBackLease,
) -> Result<WriteBackLease, StoreError> {
    let lease_end = write_backs::leased_until.assume_not_null();
    both!(connection, |inner| diesel::update(
        write_backs::table.find((&current.external_id, source))
    )
    .set(write_backs::next_try_at.eq(lease_end))
    .execute(inner))?;
    Ok(WriteBackLease { outcome_unknown: false, ..current })
}

fn delete(
    connection: &mut AnyConnection,
    source: &str,
    lease: &WriteBackLease,
) -> Result<WriteBackStatus, StoreError> {
    both!(connection, |inner| diesel::delete(
        write_backs::table.find((&lease.external_id, source))
    )
    .execute(inner))?;
    Ok(WriteBackStatus::Done)
}

/// Parks a write-back until the user changes.
fn park(
    connection: &mut AnyConnection,
    source: &str,
    lease: &WriteBackLease,
    state: &str,
) -> Result<(), StoreError> {
    both!(connection, |inner| diesel::update(
        write_backs::table.find((&lease.external_id, source))
    )
    .set((
        write_backs::state.eq(state),
        write_backs::leased_until.eq(None::<Timestamp>),
        write_backs::outcome_unknown.eq(false),
        write_backs::attempts.eq(0),
    ))
    .execute(inner))?;
    Ok(())
}
