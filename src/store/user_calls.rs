//! Calls of the provider about one user, over all replicas.
//!
//! Called by `sync` before such a call, and by [`write_backs`](super::write_backs), which logs what is
//! written and reads how long a user's next write waits. Times are the database's clock. Rows are
//! pruned by [`retention`](super::retention). Lock order: users, write-backs, then this table.

use super::Store;
use super::budget::WINDOW;
use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::user_calls;
use super::types::{Json, JsonText};
use crate::domain::{PatchLog, Timestamp};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use std::collections::HashMap;
use std::time::Duration;

/// Ten calls in this time: the provider's window, and a little for those that arrive late.
pub const USER_WINDOW: Duration = WINDOW.saturating_add(Duration::from_millis(500));

/// Ten calls and twelve writes, as many as a [`PatchLog`] looks at.
const CALLS: List = List { column: "calls", last_index: 9, kept_for: "1 minute" };
const PATCHES: List = List { column: "patches", last_index: 11, kept_for: "24 hours" };

/// A list of instants of a user's row.
struct List {
    column: &'static str,
    /// Index of the last element of a full list.
    last_index: u8,
    kept_for: &'static str,
}

impl Store {
    /// Counts a call about the user. Where ten were made, it is not counted, and how long until it
    /// may be is returned.
    pub async fn take_user_call(
        &self,
        source: &'static str,
        external_id: String,
    ) -> Result<Option<Duration>, StoreError> {
        self.write_async_commit(move |connection| take(connection, source, &external_id)).await
    }
}

fn take(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
) -> Result<Option<Duration>, StoreError> {
    let window_ms = i64::try_from(USER_WINDOW.as_millis()).unwrap_or(i64::MAX);
    // A first call later than now is left from before a clock was set back, and does not count.
    let condition = match connection {
        AnyConnection::Postgres(_) => {
            " WHERE held.calls -> 9 IS NULL OR (excluded.calls -> 0)::bigint \
             - (held.calls -> 0)::bigint NOT BETWEEN 0 AND $3 - 1"
        }
        AnyConnection::Sqlite(_) => {
            " WHERE held.calls ->> 9 IS NULL OR (excluded.calls ->> 0) \
             - (held.calls ->> 0) NOT BETWEEN 0 AND $3 - 1"
        }
    };
    let taken = sql_query(CALLS.append(connection) + condition)
        .bind::<Text, _>(source)
        .bind::<Text, _>(external_id)
        .bind::<BigInt, _>(window_ms);
    if both!(connection, |inner| taken.execute(inner))? > 0 {
        return Ok(None);
    }
    let calls: Json = both!(connection, |inner| user_calls::table
        .find((external_id, source))
        .select(user_calls::calls)
        .first(inner))?;
    let calls: Vec<i64> = serde_json::from_str(&calls.0).unwrap_or_default();
    let now = connection.now()?;
    let first = calls.first().copied().and_then(Timestamp::from_millis).unwrap_or(now);
    Ok(Some(USER_WINDOW.saturating_sub(now.since(first))))
}

impl List {
    /// Appends the database's instant to the list of user $2 of source $1; the oldest of a full list
    /// goes.
    fn append(&self, connection: &AnyConnection) -> String {
        let Self { column, last_index, kept_for } = self;
        match connection {
            AnyConnection::Postgres(_) => format!(
                "INSERT INTO user_calls AS held (source, external_id, {column}, kept_until) \
                 SELECT $1, $2, jsonb_build_array(floor(extract(epoch FROM now) * 1000)::bigint), \
                     now + interval '{kept_for}' FROM clock_timestamp() AS now \
                 ON CONFLICT (external_id, source) DO UPDATE SET \
                     {column} = CASE WHEN held.{column} -> {last_index} IS NULL \
                         THEN held.{column} ELSE held.{column} - 0 END || excluded.{column}, \
                     kept_until = GREATEST(held.kept_until, excluded.kept_until)"
            ),
            AnyConnection::Sqlite(_) => format!(
                "INSERT INTO user_calls AS held (source, external_id, {column}, kept_until) \
                 VALUES ($1, $2, json_array(CAST(unixepoch('subsec') * 1000 AS INTEGER)), \
                     strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+{kept_for}')) \
                 ON CONFLICT (external_id, source) DO UPDATE SET \
                     {column} = json_insert(CASE WHEN held.{column} ->> {last_index} IS NULL \
                         THEN held.{column} ELSE json_remove(held.{column}, '$[0]') END, \
                         '$[#]', excluded.{column} ->> 0), \
                     kept_until = max(held.kept_until, excluded.kept_until)"
            ),
        }
    }
}

/// The logs of those of these users who were written to.
pub(super) fn patch_logs(
    connection: &mut AnyConnection,
    source: &str,
    external_ids: &[&str],
) -> Result<HashMap<String, PatchLog>, StoreError> {
    let logs: Vec<(String, Json)> = both!(connection, |inner| user_calls::table
        .filter(user_calls::external_id.eq_any(external_ids).and(user_calls::source.eq(source)))
        .select((user_calls::external_id, user_calls::patches))
        .load(inner))?;
    let read = |(id, log): (String, Json)| (id, serde_json::from_str(&log.0).unwrap_or_default());
    Ok(logs.into_iter().map(read).collect())
}

/// Logs a write.
pub(super) fn log_patch(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
) -> Result<(), StoreError> {
    let appended = sql_query(PATCHES.append(connection));
    let appended = appended.bind::<Text, _>(source).bind::<Text, _>(external_id);
    both!(connection, |inner| appended.execute(inner))?;
    Ok(())
}

/// An operator's order is not what was written in vain before.
pub(super) fn forget_patches(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
) -> Result<(), StoreError> {
    both!(connection, |inner| diesel::update(user_calls::table.find((external_id, source)))
        .set(user_calls::patches.eq(JsonText("[]")))
        .execute(inner))?;
    Ok(())
}
