//! The budget of requests to the provider's API, shared by all replicas.
//!
//! Called by `sync`. A replica leases a slice and spends it at once, so that not every request asks
//! the database. Leased requests are counted by half seconds of the database's clock, so that the
//! bound holds for any ten seconds.

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::api_budgets;
use super::{Clock, Store};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use std::time::Duration;

/// The budget is given for this time, as the provider's own limit is.
pub const WINDOW: Duration = Duration::from_secs(10);

/// A slice is spent by the end of its slot.
const SLOT_MS: i64 = 500;

/// Slots that ten seconds touch, and one more for requests that are sent when their slot ends.
const SLOTS: i64 = 22;

/// Replicas lease one after the other; on SQLite there is one writer anyway.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock('api_budgets'::regclass::oid::bigint)";

/// Requests that a replica may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSlice {
    /// 0 where the budget is used up.
    pub requests: u32,
    /// For how long they may be made; where there are none, when to ask again.
    pub valid_for: Duration,
}

impl Store {
    /// Leases up to `wanted` requests; all replicas have `most` at most in any ten seconds.
    pub async fn lease_budget(
        &self,
        source: &'static str,
        wanted: u32,
        most: u32,
    ) -> Result<BudgetSlice, StoreError> {
        let clock = self.clock.clone();
        self.write(move |connection| lease(connection, &clock, source, wanted, most)).await
    }
}

fn lease(
    connection: &mut AnyConnection,
    clock: &Clock,
    source: &str,
    wanted: u32,
    most: u32,
) -> Result<BudgetSlice, StoreError> {
    if let AnyConnection::Postgres(inner) = connection {
        inner.batch_execute(ONE_AT_A_TIME)?;
    }
    let now_ms = connection.read_clock(clock)?.as_millis();
    let slot = now_ms.div_euclid(SLOT_MS);
    let ours = api_budgets::source.eq(source);
    // Later slots are left from before a clock was set back.
    let counts = api_budgets::slot.gt(slot - SLOTS).and(api_budgets::slot.le(slot));
    both!(connection, |inner| diesel::delete(
        api_budgets::table.filter(ours.and(diesel::dsl::not(counts)))
    )
    .execute(inner))?;
    let given: Vec<(i64, i64)> = both!(connection, |inner| api_budgets::table
        .filter(ours)
        .order(api_budgets::slot)
        .select((api_budgets::slot, api_budgets::taken))
        .load(inner))?;
    let taken: i64 = given.iter().map(|(_, taken)| taken).sum();
    let requests = (i64::from(most) - taken).clamp(0, i64::from(wanted));
    let end = if requests > 0 {
        give(connection, source, slot, requests)?;
        slot + 1
    } else {
        given.first().map_or(slot + 1, |(oldest, _)| oldest + SLOTS)
    };
    let left_ms = u64::try_from(end * SLOT_MS - now_ms).unwrap_or(0);
    Ok(BudgetSlice {
        requests: u32::try_from(requests).unwrap_or(0),
        valid_for: Duration::from_millis(left_ms),
    })
}

fn give(
    connection: &mut AnyConnection,
    source: &str,
    slot: i64,
    requests: i64,
) -> Result<(), StoreError> {
    both!(connection, |inner| diesel::insert_into(api_budgets::table)
        .values((
            api_budgets::source.eq(source),
            api_budgets::slot.eq(slot),
            api_budgets::taken.eq(requests),
        ))
        .on_conflict((api_budgets::source, api_budgets::slot))
        .do_update()
        .set(api_budgets::taken.eq(api_budgets::taken + requests))
        .execute(inner))?;
    Ok(())
}
