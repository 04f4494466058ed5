//! Write-backs as operators see them.

use crate::store::connection::both;
use crate::store::schema::write_backs;
use crate::store::types::Moment;
use crate::store::{Store, StoreError};
use diesel::prelude::*;
use serde::Serialize;

/// A write-back as operators see it.
#[derive(Clone, Debug, Queryable, Selectable, Serialize)]
#[diesel(table_name = write_backs)]
pub struct WriteBackRecord {
    external_id: String,
    state: String,
    attempts: i32,
    next_try_at: Moment,
    last_error: Option<String>,
    created_at: Moment,
}

impl WriteBackRecord {
    /// The provider's id of the user: the last one of a page is the cursor of the next.
    pub fn external_id(&self) -> &str {
        &self.external_id
    }
}

impl Store {
    /// Up to `limit` write-backs behind the user `after`, of one state where it is given.
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

    /// How many write-backs there are of each state.
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
}
