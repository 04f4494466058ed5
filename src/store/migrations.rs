//! Embedded migrations of both engines: applies them, or checks that they are applied.
//!
//! Called at start and by `usersync migrate`. Migrations only expand, and applied ones are never
//! edited; `tests/it/schema.rs` compares what both engines end up with.

use super::connection::{AnyConnection, both};
use super::database::{Database, Purpose};
use super::error::StoreError;
use super::{postgres, rights};
use crate::telemetry::Throttle;
use diesel::backend::Backend;
use diesel::connection::SimpleConnection as _;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use diesel::{PgConnection, QueryableByName, RunQueryDsl as _, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::time::{Duration, Instant};

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// The key of the advisory lock by which one process migrates at a time.
const LOCK_KEY: i64 = 0x7573_6572_7379_6e63;

/// Between two attempts to take a lock: longer than the attempt, so that others get their turn.
const LOCK_PAUSE: Duration = Duration::from_secs(2);

/// Applies pending migrations and returns how many. Waits for another process that migrates.
pub(super) fn run(database: &Database) -> Result<usize, StoreError> {
    let mut connection = AnyConnection::open(database, Purpose::Migrate)?;
    match (&mut connection, database) {
        (AnyConnection::Postgres(inner), Database::Postgres(target)) => {
            lock(inner)?;
            create_schema(inner, &target.schema)?;
            postgres::check_schema(inner, &target.schema)?;
            run_each(inner)
        }
        _ => connection.transaction(|connection| match connection {
            AnyConnection::Sqlite(inner) => {
                Ok(inner.run_pending_migrations(SQLITE).map_err(failed)?.len())
            }
            AnyConnection::Postgres(_) => Ok(0),
        }),
    }
}

/// Takes the lock, which ends with the connection.
fn lock(connection: &mut PgConnection) -> Result<(), StoreError> {
    let take = format!("SELECT pg_try_advisory_lock({LOCK_KEY}) AS found");
    for attempt in 0_u32.. {
        let Existence { found } = sql_query(&take).get_result(connection)?;
        if found {
            break;
        }
        if attempt == 0 {
            tracing::info!("another process migrates; waiting for it");
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Ok(())
}

/// Runs migrations one by one. One that gets no lock within the session's time limit lets those
/// pass who waited behind it, and is tried again.
fn run_each(connection: &mut PgConnection) -> Result<usize, StoreError> {
    let pending = connection.pending_migrations(POSTGRES).map_err(failed)?;
    let log = Throttle::default();
    for migration in &pending {
        // An index that is built beside writers locks none of them out while it waits for old ones.
        let waits = !migration.metadata().run_in_transaction();
        if waits {
            drop_unfinished_indexes(connection)?;
            connection.batch_execute("SET lock_timeout TO 0")?;
        }
        let mut started = Instant::now();
        while let Err(error) = connection.run_migration(migration) {
            if !is_lock_timeout(error.as_ref()) {
                // Where the role may not ask for English messages, its time tells a lock.
                let is_late = !waits && started.elapsed() >= postgres::MIGRATION_LOCK_TIMEOUT;
                return Err(if is_late && !speaks_english(connection)? {
                    waits_for_lock()
                } else {
                    failed(error)
                });
            }
            if let Some(suppressed) = log.pass(Instant::now()) {
                let migration = migration.name().to_string();
                tracing::warn!(
                    migration,
                    suppressed,
                    "a migration waits for a lock that another session holds"
                );
            }
            std::thread::sleep(LOCK_PAUSE);
            started = Instant::now();
        }
        if waits {
            connection.batch_execute(&postgres::migration_lock_timeout())?;
        }
    }
    Ok(pending.len())
}

fn speaks_english(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let speaks = "SELECT current_setting('lc_messages') ~ '^(C|POSIX|en|$)' AS found";
    Ok(sql_query(speaks).get_result::<Existence>(connection)?.found)
}

fn waits_for_lock() -> StoreError {
    StoreError::Away("a migration got no lock in time; the database's own log may say more".into())
}

/// Indexes that migrations build beside writers.
const CONCURRENT_INDEXES: &str = "'users_source_created_at', 'users_deleted'";

/// An index whose building was interrupted is there, and never used.
fn drop_unfinished_indexes(connection: &mut PgConnection) -> Result<(), StoreError> {
    #[derive(QueryableByName)]
    struct Unfinished {
        #[diesel(sql_type = Text)]
        name: String,
    }
    let unfinished: Vec<Unfinished> = sql_query(format!(
        "SELECT indexrelid::regclass::text AS name FROM pg_index \
         JOIN pg_class ON pg_class.oid = indexrelid \
         WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace \
         AND relname IN ({CONCURRENT_INDEXES})",
    ))
    .load(connection)?;
    for Unfinished { name } in unfinished {
        connection.batch_execute(&format!("DROP INDEX CONCURRENTLY {name}"))?;
    }
    Ok(())
}

/// diesel wraps what the server said in text.
fn is_lock_timeout(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.to_string().contains("canceling statement due to lock timeout")
}

/// Creates the schema unless it exists; asking first spares a role that only migrates tables the
/// right to create schemas.
fn create_schema(connection: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
    let created = connection.batch_execute(&format!(
        "DO $$ BEGIN
             IF to_regnamespace('\"{schema}\"') IS NULL THEN CREATE SCHEMA \"{schema}\"; END IF;
         END $$"
    ));
    created.map_err(|error| match &error {
        // Waiting gives no rights.
        diesel::result::Error::DatabaseError(_, details) if is_denied(details.message()) => {
            failure(details.message())
        }
        _ => error.into(),
    })
}

fn is_denied(message: &str) -> bool {
    message.contains("permission denied")
}

#[derive(QueryableByName)]
struct Existence {
    #[diesel(sql_type = Bool)]
    found: bool,
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
    let listed = match &connection {
        AnyConnection::Postgres(_) => {
            "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS found"
        }
        AnyConnection::Sqlite(_) => {
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '__diesel_schema_migrations') AS found"
        }
    };
    let Existence { found } = both!(&mut connection, |inner| sql_query(listed).get_result(inner))?;
    if !found {
        return Ok(false);
    }
    if let AnyConnection::Postgres(inner) = &mut connection {
        rights::check_migrations(inner)?;
    }
    let query = "SELECT version FROM __diesel_schema_migrations";
    let applied: Vec<AppliedMigration> =
        both!(&mut connection, |inner| sql_query(query).load(inner))?;
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
    let hint = "; run `usersync migrate` as the role that owns the schema (docs/sql/roles.sql)";
    let hint = if is_denied(message) { hint } else { "" };
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
