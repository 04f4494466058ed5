//! The users table as the model writes it: every column but the id and the local times. A column
//! that a migration adds has to be added to the model, or be declared local.

use crate::support::{Engine, TestDatabase};
use serde_json::Value;
use std::collections::HashMap;

/// Columns that are local: they may differ between two runs.
const LOCAL: [&str; 5] = ["id", "created_at", "updated_at", "synced_at", "deleted_at"];

pub fn rows(database: &TestDatabase, condition: &str) -> HashMap<String, Value> {
    let columns = database.columns("users").into_iter();
    let columns = columns.filter(|(name, _)| !LOCAL.contains(&name.as_str()));
    let pairs: Vec<String> =
        columns.map(|(name, kind)| format!("'{name}', {}", value(&name, &kind))).collect();
    let function = match database.engine {
        Engine::Postgres => "json_build_object",
        Engine::Sqlite => "json_object",
    };
    let pairs = pairs.join(", ");
    let sql =
        format!("SELECT CAST({function}({pairs}) AS text) AS value FROM users WHERE {condition}");
    let rows = database.texts(&sql).into_iter();
    rows.map(|text| serde_json::from_str(&text).unwrap())
        .map(|row: Value| (row["external_id"].as_str().unwrap().to_owned(), row))
        .collect()
}

/// A column as an expression whose value reads alike on both engines.
fn value(name: &str, kind: &str) -> String {
    match (kind.trim_end_matches('?'), name) {
        ("timestamp with time zone", _) => {
            format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
        }
        ("bytea", _) => format!("encode({name}, 'hex')"),
        ("BLOB", _) => format!("lower(hex({name}))"),
        ("INTEGER", "email_verified") => {
            format!("json(CASE {name} WHEN 1 THEN 'true' ELSE 'false' END)")
        }
        ("TEXT", "public_metadata") => format!("json({name})"),
        _ => name.to_owned(),
    }
}
