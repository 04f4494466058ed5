//! The outbox of write-backs: one row a user, and a lease on each.
//!
//! Rows are enqueued in the transaction of the change that calls for them (`batch::sql::enqueued`,
//! `enqueue!`). A worker of `sync` claims some ([`claim`]), calls the provider and completes them
//! ([`complete`]); operators list them. What is sent is decided when it is sent. Times are the
//! database's clock; each claim raises the row's fence, and a worker with an older fence changes
//! nothing. Lock order: users, then this table.

mod claim;
mod complete;
mod lease;

pub use claim::{ClaimedWriteBacks, PostponedWriteBack};
pub use complete::{Acknowledgement, WriteBackStatus};
pub(super) use lease::end_pauses_ahead;
pub use lease::{Reschedule, WriteBackLease};

use super::stored_user::StoredUser;
use super::user_calls;
use crate::domain::{Entitlements, MetadataNames};
use crate::domain::{
    Timestamp,
    write_back::{self, WriteBackPlan},
};
use crate::store::connection::{AnyConnection, both};
use crate::store::row_defaults::RowDefaults;
use crate::store::schema::write_backs;
use crate::store::types::UtcColumn;
use crate::store::{Store, StoreError};
use diesel::dsl::case_when;
use diesel::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value};

/// `due`, or why a write-back is parked.
pub const STATES: [&str; 5] = ["due", "conflict_id", "conflict_role", "rejected", "held_back"];

#[derive(Clone, Debug)]
pub struct WriteBackPolicy {
    pub defaults: RowDefaults,
    pub entitlements: Entitlements,
    pub names: MetadataNames,
}

impl WriteBackPolicy {
    pub fn plan(&self, stored: &StoredUser, take_over: bool) -> WriteBackPlan {
        let public_metadata: Map<String, Value> =
            serde_json::from_str(&stored.public_metadata.0).unwrap_or_default();
        let input = write_back::WriteBackInput {
            id: &stored.id,
            set_role: stored.set_role.as_deref(),
            set_plan: stored.set_plan.as_deref(),
            public_metadata: &public_metadata,
        };
        write_back::plan(input, &self.names, &self.entitlements.roles, take_over)
    }
}

#[derive(Clone, Debug, Queryable, Selectable, Serialize)]
#[diesel(table_name = write_backs)]
pub struct WriteBackRecord {
    external_id: String,
    state: String,
    attempts: i32,
    next_try_at: Timestamp,
    last_error: Option<String>,
    created_at: Timestamp,
}

impl WriteBackRecord {
    /// The last one of a page is the cursor of the next.
    pub fn external_id(&self) -> &str {
        &self.external_id
    }
}

impl Store {
    /// Write-backs after the user `after`, of one state where it is given.
    pub async fn list_write_backs(
        &self,
        source: &'static str,
        state: Option<String>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<WriteBackRecord>, StoreError> {
        self.read(move |connection| {
            Ok(both!(connection, |inner| {
                let mut query =
                    write_backs::table.select(WriteBackRecord::as_select()).into_boxed();
                query = query.filter(write_backs::source.eq(source));
                if let Some(state) = &state {
                    query = query.filter(write_backs::state.eq(state));
                }
                if let Some(after) = &after {
                    query = query.filter(write_backs::external_id.gt(after));
                }
                query.order(write_backs::external_id).limit(limit).load(inner)
            })?)
        })
        .await
    }

    /// Counts write-backs by their state.
    pub async fn count_write_backs(
        &self,
        source: &'static str,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        self.read(move |connection| {
            Ok(both!(connection, |inner| write_backs::table
                .filter(write_backs::source.eq(source))
                .group_by(write_backs::state)
                .select((write_backs::state, diesel::dsl::count_star()))
                .load(inner))?)
        })
        .await
    }

    /// Lets our values replace the provider's for this user, and makes that due; attempts begin anew.
    pub async fn take_over(
        &self,
        source: &'static str,
        external_id: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            let due_at = connection.now()?;
            both!(connection, |inner| enqueue!(inner, source, &external_id, due_at, now))?;
            both!(connection, |inner| diesel::update(
                write_backs::table.find((&external_id, source))
            )
            .set((write_backs::take_over.eq(true), write_backs::attempts.eq(0)))
            .execute(inner))?;
            user_calls::forget_patches(connection, source, &external_id)
        })
        .await
    }
}

/// Enqueues a write-back that is due at `$now`, on either engine. Never postpones one that is due
/// earlier, else a user who changes often would never be served.
macro_rules! enqueue {
    ($connection:expr, $source:expr, $external_id:expr, $now:expr, $created_at:expr) => {
        diesel::insert_into(write_backs::table)
            .values((
                write_backs::source.eq($source),
                write_backs::external_id.eq($external_id),
                write_backs::next_try_at.eq($now),
                write_backs::created_at.eq($created_at),
            ))
            .on_conflict((write_backs::external_id, write_backs::source))
            .do_update()
            .set((
                write_backs::state.eq("due"),
                write_backs::next_try_at.eq($crate::store::write_backs::earlier($now)),
            ))
            .execute($connection)
    };
}
pub(in crate::store) use enqueue;

/// The next attempt, or `at` where that is earlier.
#[diesel::dsl::auto_type(no_type_alias)]
pub(in crate::store) fn earlier(at: Timestamp) -> _ {
    let at = at.into_sql::<UtcColumn>();
    case_when(write_backs::next_try_at.gt(at), at).otherwise(write_backs::next_try_at)
}

/// Enqueues a write-back for an override, whose attempts begin anew. Its time is the database's: it tells one override from the next.
pub(in crate::store) fn enqueue_override(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
    created_at: Timestamp,
) -> Result<(), StoreError> {
    let now = connection.now()?;
    both!(connection, |inner| enqueue!(inner, source, external_id, now, created_at))?;
    both!(connection, |inner| diesel::update(write_backs::table.find((external_id, source)))
        .set((write_backs::override_at.eq(now), write_backs::attempts.eq(0)))
        .execute(inner))?;
    user_calls::forget_patches(connection, source, external_id)
}
