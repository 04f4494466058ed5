//! Tells a pooler that hands server processes out by the transaction from one that leaves a session
//! its own. Called by [`super::postgres`] at start.
//!
//! Changes no setting and leaves no transaction open: through such a pooler the application's
//! sessions would get them.

use super::database::PostgresTarget;
use super::error::StoreError;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Integer;
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _};
use secrecy::ExposeSecret as _;

/// Sessions beside the first that hold a server process each. Even a pooler that hands its servers out
/// in turn has to give one of them the first session's, or the first session another one, unless
/// the application takes and returns servers meanwhile.
const OTHER_SESSIONS: usize = 4;

/// How often each of them gives its process back and asks for one. Where an application keeps the
/// pool busy, one gets its own again by chance, every third time or so.
const ROUNDS: usize = 5;

struct Session {
    connection: PgConnection,
    /// The server process of its first transaction.
    pid: i32,
}

impl Session {
    /// A session in a transaction.
    fn open(target: &PostgresTarget) -> Result<Self, StoreError> {
        let mut connection = PgConnection::establish(target.url.expose_secret())?;
        connection.batch_execute("BEGIN")?;
        let pid = pid(&mut connection)?;
        Ok(Self { connection, pid })
    }

    /// Whether another transaction has another process.
    fn has_moved(&mut self) -> Result<bool, StoreError> {
        self.connection.batch_execute("BEGIN")?;
        Ok(pid(&mut self.connection)? != self.pid)
    }
}

#[derive(QueryableByName)]
struct ServerProcess {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

fn pid(connection: &mut PgConnection) -> Result<i32, StoreError> {
    let process: ServerProcess =
        diesel::sql_query("SELECT pg_backend_pid() AS pid").get_result(connection)?;
    Ok(process.pid)
}

/// Whether sessions like `first`, which is in no transaction, share server processes.
pub(super) fn shares_processes(
    target: &PostgresTarget,
    first: &mut PgConnection,
) -> Result<bool, StoreError> {
    let mut others = Vec::new();
    let is_shared = meet(target, first, &mut others)? || mix(&mut others)?;
    release(&mut others)?;
    Ok(is_shared)
}

/// Opens sessions until one has the first session's process, or the first session another one.
fn meet(
    target: &PostgresTarget,
    first: &mut PgConnection,
    others: &mut Vec<Session>,
) -> Result<bool, StoreError> {
    let own = pid(first)?;
    for _ in 0..OTHER_SESSIONS {
        others.push(Session::open(target)?);
        if others.iter().any(|other| other.pid == own) || pid(first)? != own {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Lets the sessions give their processes back in one order and ask for them in another, so that
/// neither a pooler's stack nor its queue gives each its own again.
fn mix(others: &mut [Session]) -> Result<bool, StoreError> {
    for _ in 0..ROUNDS {
        release(others)?;
        others.rotate_left(1);
        for other in &mut *others {
            if other.has_moved()? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Ends every transaction. Where there is none, the server only warns.
fn release(others: &mut [Session]) -> Result<(), StoreError> {
    others.iter_mut().try_for_each(|other| Ok(other.connection.batch_execute("ROLLBACK")?))
}
