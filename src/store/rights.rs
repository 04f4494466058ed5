//! What the service's role may do to its tables on PostgreSQL.
//!
//! Asked for at start, so that a right that is missing is said there, with the statement that gives
//! it, and not met by deliveries.

use super::error::StoreError;
use diesel::sql_types::Text;
use diesel::{PgConnection, QueryableByName, RunQueryDsl as _, sql_query};

#[derive(QueryableByName)]
struct MissingGrant {
    #[diesel(sql_type = Text)]
    statement: String,
}

/// The tables, and what the service does with rows of each of them.
const TABLES: &str = "ARRAY['users', 'webhook_events', 'quarantine', 'quarantine_subjects', 'write_backs', \
    'api_budgets', 'user_calls', 'pinned_instances', 'absences', 'jobs', 'job_candidates', 'leases']";
const ROWS: &str = "ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']";

/// Refuses a role that may not do with every table what the service does.
pub(super) fn check_tables(connection: &mut PgConnection) -> Result<(), StoreError> {
    check(connection, TABLES, ROWS)
}

/// Likewise, to look at which migrations are applied.
pub(super) fn check_migrations(connection: &mut PgConnection) -> Result<(), StoreError> {
    check(connection, "ARRAY['__diesel_schema_migrations']", "ARRAY['SELECT']")
}

/// A table that is not there is for migrations to say.
fn check(connection: &mut PgConnection, tables: &str, rights: &str) -> Result<(), StoreError> {
    let missing: Vec<MissingGrant> = sql_query(format!(
        "SELECT format('GRANT %s ON %I.%I TO %I', string_agg(needed, ', '), current_schema(), name, current_user) \
             AS statement \
         FROM unnest({tables}) AS name, unnest({rights}) AS needed \
         WHERE NOT has_table_privilege(to_regclass(format('%I.%I', current_schema(), name)), needed) \
         GROUP BY name ORDER BY name"
    ))
    .load(connection)?;
    if missing.is_empty() {
        return Ok(());
    }
    let statements: Vec<String> = missing.into_iter().map(|grant| grant.statement).collect();
    Err(StoreError::Unusable(format!(
        "the role of DATABASE_URL lacks rights; run as the owner of the tables: {}; (or docs/sql/roles.sql once more)",
        statements.join("; ")
    )))
}
