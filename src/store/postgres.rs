//! PostgreSQL sessions: opening one, and the checks before it is used. Called by
//! [`super::connection`] and the checks at start.

use super::database::{PostgresTarget, Purpose};
use super::error::StoreError;
use super::pooler;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{Bool, Integer, Nullable, Text};
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _};
use secrecy::ExposeSecret as _;
use std::time::Duration;

const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Shorter than a writer waits, so that none of its attempts fails for a migration that waits.
pub(super) const MIGRATION_LOCK_TIMEOUT: Duration = Duration::from_secs(1);

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

pub(super) fn migration_lock_timeout() -> String {
    format!("SET lock_timeout TO {}", MIGRATION_LOCK_TIMEOUT.as_millis())
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
    // Zero is no limit. A migration may take long, and others wait behind the locks it waits for.
    let (statement_timeout, lock_timeout) = match purpose {
        Purpose::Migrate => (Duration::ZERO, MIGRATION_LOCK_TIMEOUT),
        _ => (STATEMENT_TIMEOUT, LOCK_TIMEOUT),
    };
    let (statement_timeout, lock_timeout) =
        (statement_timeout.as_millis(), lock_timeout.as_millis());
    let planning = if purpose == Purpose::Write { GENERIC_PLANS } else { "" };
    format!(
        "SET search_path TO \"{schema}\";
         SET statement_timeout TO {statement_timeout};
         SET lock_timeout TO {lock_timeout};
         SET idle_in_transaction_session_timeout TO 10000;
         {planning}
         SET jit TO off;
         SET timezone TO 'UTC';
         SELECT set_config('client_connection_check_interval', '2s', false)
          WHERE current_setting('server_version_num')::int >= 140000;
         DO $$ BEGIN SET lc_messages TO 'C'; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$;
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

pub(super) fn check_schema(connection: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
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
struct Server {
    #[diesel(sql_type = Bool)]
    standby: bool,
    #[diesel(sql_type = Bool)]
    read_only: bool,
    #[diesel(sql_type = Text)]
    encoding: String,
}

/// Refuses a server that cannot be worked with: a standby, a read-only one, another encoding, or a
/// pooler that moves sessions between server processes, where settings and prepared statements would
/// not stay with their session. Changes no setting, which through such a pooler would reach the
/// application.
pub(super) fn check_server(target: &PostgresTarget) -> Result<(), StoreError> {
    let mut session = PgConnection::establish(target.url.expose_secret())?;
    let server: Server = diesel::sql_query(
        "SELECT pg_is_in_recovery() AS standby, \
         current_setting('transaction_read_only')::bool AS read_only, \
         current_setting('server_encoding') AS encoding",
    )
    .get_result(&mut session)?;
    // Neither is for ever: a standby is promoted, and hosts make a server read-only whose disk is full.
    if server.standby {
        return Err(StoreError::Away("the server is a read-only standby".into()));
    }
    if server.read_only {
        return Err(StoreError::Away(
            "sessions of this role are read-only (default_transaction_read_only is on)".into(),
        ));
    }
    if server.encoding != "UTF8" {
        return Err(StoreError::Unusable(format!(
            "the database's encoding is {}, which cannot hold every name; create one with ENCODING 'UTF8' TEMPLATE template0",
            server.encoding
        )));
    }
    if pooler::shares_processes(target, &mut session)? {
        return Err(StoreError::Unusable(
            "DATABASE_URL points at a pooler in transaction mode, which mixes up sessions; \
             use the direct connection (often port 5432) or the pooler's session mode"
                .into(),
        ));
    }
    Ok(())
}
