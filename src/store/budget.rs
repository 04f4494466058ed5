//! How many requests to the provider's API all replicas may make together in ten seconds.
//!
//! Called by `sync`. A replica leases a slice of the current window and spends it by itself, so
//! that not every request asks the database. Windows are cut by the database's clock.

use super::Store;
use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::api_budgets;
use super::types::Moment;
use diesel::prelude::*;
use std::time::Duration;

/// The time for which a budget is given, the same as the provider's own.
pub const WINDOW: Duration = Duration::from_secs(10);

/// A part of the current window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// How many requests may be made; 0 where the window is used up.
    pub requests: u32,
    /// For how long they may be made; then a new window begins.
    pub for_the_next: Duration,
}

impl Store {
    /// Leases up to `wanted` requests of the current window, of which `most` may be made by
    /// whoever is as urgent as the caller.
    pub async fn lease_budget(
        &self,
        source: &'static str,
        wanted: u32,
        most: u32,
    ) -> Result<Slice, StoreError> {
        self.change(move |connection| lease(connection, source, wanted, most)).await
    }
}

fn lease(
    connection: &mut AnyConnection,
    source: &str,
    wanted: u32,
    most: u32,
) -> Result<Slice, StoreError> {
    let now = connection.now()?;
    both!(connection, |inner| diesel::insert_into(api_budgets::table)
        .values((
            api_budgets::source.eq(source),
            api_budgets::window_started_at.eq(now),
            api_budgets::taken.eq(0),
        ))
        .on_conflict_do_nothing()
        .execute(inner))?;
    // The first statement on the row locks it, so that replicas take one after the other.
    let started_before = now.minus(WINDOW);
    both!(connection, |inner| diesel::update(api_budgets::table.find(source))
        .filter(api_budgets::window_started_at.le(started_before))
        .set((api_budgets::window_started_at.eq(now), api_budgets::taken.eq(0)))
        .execute(inner))?;
    let (started_at, taken) =
        both!(connection, |inner| diesel::update(api_budgets::table.find(source))
            .set(api_budgets::taken.eq(api_budgets::taken + i64::from(wanted)))
            .returning((api_budgets::window_started_at, api_budgets::taken))
            .get_result::<(Moment, i64)>(inner))?;
    let left = i64::from(most) - (taken - i64::from(wanted));
    let requests = left.clamp(0, i64::from(wanted));
    let surplus = i64::from(wanted) - requests;
    if surplus > 0 {
        both!(connection, |inner| diesel::update(api_budgets::table.find(source))
            .set(api_budgets::taken.eq(api_budgets::taken - surplus))
            .execute(inner))?;
    }
    let passed = now.since(started_at);
    Ok(Slice {
        requests: u32::try_from(requests).unwrap_or(0),
        for_the_next: WINDOW.saturating_sub(passed),
    })
}
