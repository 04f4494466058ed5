//! Live rows that nobody asked the provider about since a job began: a page that should hold their
//! users and does not says that they may be gone.

use crate::store::connection::both;
use crate::store::schema::users;
use crate::store::types::Moment;
use crate::store::{Store, StoreError};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

/// Which live rows a page is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreationRange {
    /// Those of users created from the one instant on, and before the other.
    Between {
        /// The first instant; `None` for the beginning.
        from: Option<Moment>,
        /// The first instant behind; `None` for the end.
        before: Option<Moment>,
    },
    /// Those of whom nobody knows when they were created.
    Unknown,
}

/// Where a part of the rows is read on: behind the row of this user, created then.
pub type CreationCursor = (Option<Moment>, String);

impl Store {
    /// Up to `limit` live rows of a part that nobody asked the provider about since `asked_before`,
    /// behind the keyset `after`, in its order.
    pub async fn rows_not_fetched_since(
        &self,
        source: &'static str,
        part: CreationRange,
        asked_before: Moment,
        after: Option<CreationCursor>,
        limit: i64,
    ) -> Result<Vec<CreationCursor>, StoreError> {
        self.read(move |connection| {
            let after = after.as_ref();
            Ok(both!(connection, |inner| {
                let mut rows = users::table
                    .select((users::source_created_at, users::external_id))
                    .into_boxed()
                    .filter(users::source.eq(source))
                    // A literal, since the index of live rows is only considered for it.
                    .filter(sql::<Bool>("status <> 'deleted'"))
                    .filter(
                        users::last_fetched_at
                            .is_null()
                            .or(users::last_fetched_at.lt(asked_before)),
                    );
                match part {
                    CreationRange::Unknown => {
                        rows = rows.filter(users::source_created_at.is_null());
                        if let Some((_, id)) = after {
                            rows = rows.filter(users::external_id.gt(id));
                        }
                    }
                    CreationRange::Between { from, before } => {
                        if let Some(from) = after.and_then(|(at, _)| *at).or(from) {
                            rows = rows.filter(users::source_created_at.ge(from));
                        } else {
                            rows = rows.filter(users::source_created_at.is_not_null());
                        }
                        if let Some(before) = before {
                            rows = rows.filter(users::source_created_at.lt(before));
                        }
                        if let Some((at, id)) = after {
                            let same_instant = users::source_created_at.eq(*at);
                            let behind = users::external_id.gt(id);
                            rows = rows.filter(diesel::dsl::not(same_instant).or(behind));
                        }
                    }
                }
                rows.order((users::source_created_at, users::external_id)).limit(limit).load(inner)
            })?)
        })
        .await
    }
}
