//! The users table as the model writes it: every column but the id and the local times.

use crate::support::{Engine, TestDatabase};
use serde_json::Value;
use std::collections::HashMap;

/// Columns that read alike on both engines.
const PLAIN: [&str; 23] = [
    "source",
    "external_id",
    "source_external_id",
    "email",
    "email_lower",
    "phone",
    "username",
    "first_name",
    "last_name",
    "name",
    "image_url",
    "role",
    "source_role",
    "set_role",
    "plan",
    "source_plan",
    "set_plan",
    "status",
    "deletion_kind",
    "version_updated_at",
    "version_projection",
    "version_kind",
    "version_seen_at",
];

const INSTANTS: [&str; 4] =
    ["locked_until", "last_fetched_at", "last_sign_in_at", "source_created_at"];

/// Columns that are local: they may differ between two runs.
const LOCAL: [&str; 5] = ["id", "created_at", "updated_at", "synced_at", "deleted_at"];

pub fn rows(database: &TestDatabase, condition: &str) -> HashMap<String, Value> {
    let pairs = pairs(database.engine).join(", ");
    let object = match database.engine {
        Engine::Postgres => format!("json_build_object({pairs})::text"),
        Engine::Sqlite => format!("json_object({pairs})"),
    };
    let sql = format!("SELECT {object} AS value FROM users WHERE {condition}");
    let rows = database.query(&sql).into_iter().flatten();
    rows.map(|text| serde_json::from_str(&text).unwrap())
        .map(|row: Value| (row["external_id"].as_str().unwrap().to_owned(), row))
        .collect()
}

fn pairs(engine: Engine) -> Vec<String> {
    let plain = PLAIN.map(|column| format!("'{column}', {column}"));
    let instants = INSTANTS.map(|column| match engine {
        Engine::Postgres => format!(
            "'{column}', to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
        ),
        Engine::Sqlite => format!("'{column}', {column}"),
    });
    let special = match engine {
        Engine::Postgres => [
            "'email_verified', email_verified",
            "'public_metadata', public_metadata",
            "'version_digest', encode(version_digest, 'hex')",
        ],
        Engine::Sqlite => [
            "'email_verified', json(CASE email_verified WHEN 1 THEN 'true' ELSE 'false' END)",
            "'public_metadata', json(public_metadata)",
            "'version_digest', lower(hex(version_digest))",
        ],
    };
    let special = special.map(str::to_owned);
    [&plain[..], &instants[..], &special[..]].concat()
}

/// The number of columns that the comparison covers: a column that a migration adds has to
/// be added here and to the model, or be declared local.
pub const COVERED: usize = PLAIN.len() + INSTANTS.len() + 3 + LOCAL.len();

pub fn columns(database: &TestDatabase) -> usize {
    match database.engine {
        Engine::Postgres => database.count(&format!(
            "information_schema.columns WHERE table_name = 'users' AND table_schema = '{}'",
            database.schema
        )),
        Engine::Sqlite => database.count("pragma_table_info('users')"),
    }
}
