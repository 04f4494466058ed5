//! Calls of the provider about one user, over all replicas.
//!
//! Called by [`write_backs`](super::write_backs), which logs what is written and reads how long a user's
//! next write waits. Times are the database's clock. Rows are
//! pruned by [`retention`](super::retention). Lock order: users, write-backs, then this table.

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::user_calls;
use super::types::{Json, JsonText};
use crate::domain::PatchLog;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use std::collections::HashMap;

/// As many writes as a [`PatchLog`] looks at.
const PATCHES: List = List { column: "patches", last_index: 11, kept_for: "1 hour" };

/// A list of instants of a user's row.
struct List {
    column: &'static str,
    /// Index of the last element of a full list.
    last_index: u8,
    kept_for: &'static str,
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
