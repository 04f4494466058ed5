//! Leases on recurring work, which one replica does at a time.
//!
//! Called by `sync`. Due work is claimed for a while of the database's clock, with a fence as jobs
//! have; a run leaves a checkpoint for the next.

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::leases;
use super::types::{Json, JsonText};
use super::{Clock, Store, jobs::LEASE};
use crate::domain::Timestamp;
use diesel::prelude::*;
use std::time::Duration;

/// A claimed run of recurring work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledRun {
    name: &'static str,
    fence: i64,
    /// What the previous run left, as JSON.
    pub checkpoint: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = leases)]
struct Row {
    due_at: Timestamp,
    fence: i64,
    leased_until: Option<Timestamp>,
    state: Json,
}

impl Store {
    /// Claims work that is due and not leased. Work that was never done is due after `first`; work
    /// that is due later than `at_latest` from now is due then: its interval was shortened.
    pub async fn claim_scheduled_run(
        &self,
        name: &'static str,
        first: Duration,
        at_latest: Duration,
    ) -> Result<Option<ScheduledRun>, StoreError> {
        let clock = self.clock.clone();
        self.write(move |connection| claim(connection, &clock, name, first, at_latest)).await
    }

    /// Renews the lease. Returns whether it is still held.
    pub async fn renew_scheduled_run(&self, run: ScheduledRun) -> Result<bool, StoreError> {
        self.write(move |connection| renew(connection, &run)).await
    }

    /// Ends a run: the next one is due `after` from now, and gets `checkpoint`, which is JSON.
    pub async fn finish_scheduled_run(
        &self,
        run: ScheduledRun,
        after: Duration,
        checkpoint: String,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            if !renew(connection, &run)? {
                return Ok(false);
            }
            let due_at = connection.now()?.plus(after);
            both!(connection, |inner| diesel::update(leases::table.find(run.name))
                .set((
                    leases::due_at.eq(due_at),
                    leases::leased_until.eq(None::<Timestamp>),
                    leases::state.eq(JsonText(&checkpoint)),
                ))
                .execute(inner))?;
            Ok(true)
        })
        .await
    }
}

fn claim(
    connection: &mut AnyConnection,
    clock: &Clock,
    name: &'static str,
    first: Duration,
    at_latest: Duration,
) -> Result<Option<ScheduledRun>, StoreError> {
    let now = connection.read_clock(clock)?;
    both!(connection, |inner| diesel::insert_into(leases::table)
        .values((
            leases::name.eq(name),
            leases::due_at.eq(now.plus(first)),
            leases::state.eq(JsonText("null")),
        ))
        .on_conflict_do_nothing()
        .execute(inner))?;
    let row: Row = match connection {
        AnyConnection::Postgres(inner) => {
            leases::table.find(name).select(Row::as_select()).for_update().first(inner)?
        }
        AnyConnection::Sqlite(inner) => {
            leases::table.find(name).select(Row::as_select()).first(inner)?
        }
    };
    // One that ends later than any that is given now was given while the clock was ahead.
    if row.leased_until.is_some_and(|until| until > now && until <= now.plus(LEASE * 2)) {
        return Ok(None);
    }
    let latest = now.plus(at_latest);
    if row.due_at > latest {
        both!(connection, |inner| diesel::update(leases::table.find(name))
            .set(leases::due_at.eq(latest))
            .execute(inner))?;
    }
    if row.due_at > now {
        return Ok(None);
    }
    let fence = row.fence + 1;
    both!(connection, |inner| diesel::update(leases::table.find(name))
        .set((leases::fence.eq(fence), leases::leased_until.eq(now.plus(LEASE))))
        .execute(inner))?;
    Ok(Some(ScheduledRun { name, fence, checkpoint: row.state.0 }))
}

/// Renews the lease where it is still held, in the transaction that does the work.
pub(super) fn renew(
    connection: &mut AnyConnection,
    run: &ScheduledRun,
) -> Result<bool, StoreError> {
    let now = connection.now()?;
    let row = leases::table
        .find(run.name)
        .filter(leases::fence.eq(run.fence))
        .filter(leases::leased_until.gt(now));
    let kept = both!(connection, |inner| diesel::update(row)
        .set(leases::leased_until.eq(now.plus(LEASE)))
        .execute(inner))?;
    Ok(kept == 1)
}
