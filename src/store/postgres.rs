//! PostgreSQL sessions: opening one, and the checks before it is used. Called by
//! [`super::connection`] and the checks at start.

use super::database::{PostgresTarget, Purpose};
use super::error::StoreError;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{Bool, Integer, Nullable, Text};
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _};
use secrecy::ExposeSecret as _;
use std::time::Duration;

const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// PostgreSQL 13, as `server_version_num` writes it.
const OLDEST_SERVER: i32 = 130_000;

pub(super) fn open(target: &PostgresTarget, purpose: Purpose) -> Result<PgConnection, StoreError> {
    let mut connection = PgConnection::establish(target.url.expose_secret())?;
    connection.batch_execute(&session(&target.schema, purpose))?;
    if matches!(purpose, Purpose::Read | Purpose::Write) {
        check_schema(&mut connection, &target.schema)?;
    }
    Ok(connection)
}

/// Statements of writers are planned once, because their best plan does not depend on the values,
/// and always by an index, because they may be planned while the tables are empty.
pub(super) const GENERIC_PLANS: &str =
    "SET plan_cache_mode TO force_generic_plan; SET enable_seqscan TO off;";

/// Retention and mass changes are planned each time, by what the tables hold.
pub(super) const CUSTOM_PLANS: &str =
    "SET plan_cache_mode TO force_custom_plan; SET enable_seqscan TO on;";

/// The settings of a session. `search_path` names the service's schema alone, so that no table of
/// the application can be meant; statements this short never repay compiling a plan.
fn session(schema: &str, purpose: Purpose) -> String {
    // Zero is no limit.
    let limit = |limit: Duration| if purpose == Purpose::Migrate { 0 } else { limit.as_millis() };
    let (statement_timeout, lock_timeout) = (limit(STATEMENT_TIMEOUT), limit(LOCK_TIMEOUT));
    let planning = if purpose == Purpose::Write { GENERIC_PLANS } else { "" };
    format!(
        "SET search_path TO \"{schema}\";
         SET statement_timeout TO {statement_timeout};
         SET lock_timeout TO {lock_timeout};
         SET idle_in_transaction_session_timeout TO 10000;
         {planning}
         SET jit TO off;
         SET timezone TO 'UTC';
         SELECT set_config('synchronous_commit', 'on', false)
          WHERE current_setting('synchronous_commit') = 'off';"
    )
}

#[derive(QueryableByName)]
struct ServerInfo {
    #[diesel(sql_type = Nullable<Text>)]
    schema: Option<String>,
    #[diesel(sql_type = Integer)]
    server: i32,
}

fn check_schema(connection: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
    let session: ServerInfo = diesel::sql_query(
        "SELECT current_schema()::text AS schema, current_setting('server_version_num')::int AS server",
    )
    .get_result(connection)?;
    if session.server < OLDEST_SERVER {
        return Err(StoreError::Unusable(
            "this PostgreSQL is older than version 13, the oldest that is supported".into(),
        ));
    }
    match session.schema {
        Some(current) if current == schema => Ok(()),
        _ => Err(StoreError::Unusable(format!(
            "the schema \"{schema}\" is not there, or this role may not use it; run `usersync migrate` \
             as a role that may create it, or GRANT USAGE ON SCHEMA \"{schema}\""
        ))),
    }
}

#[derive(QueryableByName)]
struct ServerProcess {
    #[diesel(sql_type = Integer)]
    pid: i32,
    #[diesel(sql_type = Bool)]
    read_only: bool,
}

/// Refuses a pooler that gives two open sessions the same server process: settings and prepared
/// statements would not stay with their session.
pub(super) fn refuse_shared_backend(
    first: &mut PgConnection,
    second: &mut PgConnection,
) -> Result<(), StoreError> {
    let backend = |connection: &mut PgConnection| -> Result<ServerProcess, StoreError> {
        let sql = "SELECT pg_backend_pid() AS pid, pg_is_in_recovery() AS read_only";
        Ok(diesel::sql_query(sql).get_result(connection)?)
    };
    let (one, two) = (backend(first)?, backend(second)?);
    if one.read_only {
        return Err(StoreError::Away("the server is a read-only standby".into()));
    }
    if one.pid == two.pid {
        return Err(StoreError::Unusable(
            "DATABASE_URL points at a pooler in transaction mode, which mixes up sessions; \
             use the direct connection (often port 5432) or the pooler's session mode"
                .into(),
        ));
    }
    Ok(())
}
