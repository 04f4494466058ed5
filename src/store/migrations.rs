//! Embedded migrations of both engines: applies them, or checks that they are applied.
//!
//! Called at start and by `usersync migrate`. Migrations only expand, and applied ones are never
//! edited; `tests/it/schema.rs` compares what both engines end up with.

use super::connection::{AnyConnection, both};
use super::database::{Database, Purpose};
use super::error::StoreError;
use diesel::backend::Backend;
use diesel::connection::SimpleConnection as _;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// The key of the advisory lock by which one process migrates at a time.
const LOCK_KEY: i64 = 0x7573_6572_7379_6e63;

/// Applies pending migrations and returns how many. Waits for another process that migrates.
pub(super) fn run(database: &Database) -> Result<usize, StoreError> {
    let mut connection = AnyConnection::open(database, Purpose::Migrate)?;
    match (&mut connection, database) {
        (AnyConnection::Postgres(inner), Database::Postgres(target)) => {
            // The lock ends with the connection.
            inner.batch_execute(&format!("SELECT pg_advisory_lock({LOCK_KEY})"))?;
            create_schema(inner, &target.schema)?;
            Ok(inner.run_pending_migrations(POSTGRES).map_err(failed)?.len())
        }
        _ => connection.transaction(|connection| match connection {
            AnyConnection::Sqlite(inner) => {
                Ok(inner.run_pending_migrations(SQLITE).map_err(failed)?.len())
            }
            AnyConnection::Postgres(_) => Ok(0),
        }),
    }
}

/// Creates the schema unless it exists; asking first spares a role that only migrates tables the
/// right to create schemas.
fn create_schema(connection: &mut diesel::PgConnection, schema: &str) -> Result<(), StoreError> {
    Ok(connection.batch_execute(&format!(
        "DO $$ BEGIN
             IF to_regnamespace('\"{schema}\"') IS NULL THEN CREATE SCHEMA \"{schema}\"; END IF;
         END $$"
    ))?)
}

#[derive(QueryableByName)]
struct AppliedMigration {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Whether every migration of this release is applied; a newer release may have applied more. Only
/// reads: the role of the service need not be allowed to change the schema.
pub(super) fn is_current(database: &Database) -> Result<bool, StoreError> {
    if matches!(database, Database::Sqlite(path) if !path.exists()) {
        return Ok(false);
    }
    let mut connection = AnyConnection::open(database, Purpose::Inspect)?;
    let query = "SELECT version FROM __diesel_schema_migrations";
    let applied: Vec<AppliedMigration> =
        match both!(&mut connection, |inner| sql_query(query).load(inner)) {
            Ok(applied) => applied,
            Err(error) => {
                return match StoreError::from(error) {
                    StoreError::Refused(_) => Ok(false),
                    away => Err(away),
                };
            }
        };
    let needed = match &connection {
        AnyConnection::Postgres(_) => versions::<Pg>(&POSTGRES)?,
        AnyConnection::Sqlite(_) => versions::<Sqlite>(&SQLITE)?,
    };
    Ok(needed.iter().all(|version| applied.iter().any(|row| row.version == *version)))
}

fn versions<DB: Backend>(migrations: &EmbeddedMigrations) -> Result<Vec<String>, StoreError> {
    let all = MigrationSource::<DB>::migrations(migrations).map_err(failed)?;
    Ok(all.iter().map(|migration| migration.name().version().to_string()).collect())
}

fn failure(message: &str) -> StoreError {
    let denied = message.contains("permission denied");
    let hint = "; run `usersync migrate` as the role that owns the schema (docs/sql/roles.sql)";
    let hint = if denied { hint } else { "" };
    StoreError::Unusable(format!("the schema could not be migrated: {message}{hint}"))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that map_err hands it")]
fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    match error.downcast_ref::<diesel::result::Error>() {
        Some(diesel::result::Error::DatabaseError(_, details)) => {
            // A migration contains no data of users, so its error may be shown whole.
            failure(details.message())
        }
        _ => StoreError::Unusable(format!("the schema could not be migrated: {error}")),
    }
}
