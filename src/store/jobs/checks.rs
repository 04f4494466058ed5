//! Reads rows that a job checks apart from any page: live ones that no page had, and deleted ones
//! of which personal data is left. Called by the jobs of `sync`; writes nothing.

use crate::domain::{Timestamp, horizon};
use crate::store::connection::both;
use crate::store::schema::{quarantine_subjects, users, write_backs};
use crate::store::{Store, StoreError};
use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

/// The live rows that a page is compared with, by when the provider created their users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreationRange {
    /// From the one instant on, before the other.
    Between {
        /// `None`: from the beginning.
        from: Option<Timestamp>,
        /// `None`: to the end.
        before: Option<Timestamp>,
    },
    /// The time is not known.
    Unknown,
}

/// The last row read: when its user was created, and its external id.
pub type CreationCursor = (Option<Timestamp>, String);

impl Store {
    /// Live rows of a range, after the row `after`, that were not fetched since `asked_before`. A fetch
    /// that the database's clock has not reached counts as none: a clock was wrong.
    pub async fn rows_not_fetched_since(
        &self,
        source: &'static str,
        part: CreationRange,
        asked_before: Timestamp,
        after: Option<CreationCursor>,
        limit: i64,
    ) -> Result<Vec<CreationCursor>, StoreError> {
        self.read(move |connection| {
            let after = after.as_ref();
            let horizon = horizon(connection.now()?);
            Ok(both!(connection, |inner| {
                let mut rows = users::table
                    .select((users::source_created_at, users::external_id))
                    .into_boxed()
                    .filter(users::source.eq(source))
                    // A literal: PostgreSQL considers the index of live rows only for it.
                    .filter(sql::<Bool>("status <> 'deleted'"))
                    .filter(
                        users::last_fetched_at
                            .is_null()
                            .or(users::last_fetched_at.lt(asked_before))
                            .or(users::last_fetched_at.gt(horizon)),
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

/// What a deletion of either kind empties. An absence keeps overrides and the last sign-in; a
/// signed deletion keeps nothing.
const HOLDS_SOMETHING: &str = "(source_external_id IS NOT NULL OR email IS NOT NULL \
    OR email_lower IS NOT NULL OR email_verified OR phone IS NOT NULL OR username IS NOT NULL \
    OR first_name IS NOT NULL OR last_name IS NOT NULL OR name IS NOT NULL \
    OR image_url IS NOT NULL OR role IS NOT NULL OR source_role IS NOT NULL OR plan IS NOT NULL \
    OR source_plan IS NOT NULL OR public_metadata <> '{}' OR locked_until IS NOT NULL \
    OR source_created_at IS NOT NULL OR deletion_kind = 'signed' AND (set_role IS NOT NULL \
        OR set_plan IS NOT NULL OR last_sign_in_at IS NOT NULL OR last_fetched_at IS NOT NULL))";

impl Store {
    /// Those of up to `limit` deleted users after the user `after` of which personal data is left:
    /// in the row, the quarantine or a write-back. Also the last user read, unless these were all.
    pub async fn erasure_violations(
        &self,
        source: &'static str,
        after: Option<String>,
        limit: i64,
    ) -> Result<(Vec<String>, Option<String>), StoreError> {
        self.read(move |connection| {
            let rows: Vec<(String, bool)> = both!(connection, |inner| {
                let is_signed = users::deletion_kind.eq("signed").assume_not_null();
                let quarantined = exists(
                    quarantine_subjects::table
                        .filter(quarantine_subjects::subject.eq(users::external_id))
                        .filter(quarantine_subjects::source.eq(users::source)),
                );
                let enqueued = exists(
                    write_backs::table
                        .filter(write_backs::external_id.eq(users::external_id))
                        .filter(write_backs::source.eq(users::source)),
                );
                let holds = sql::<Bool>(HOLDS_SOMETHING);
                let mut rows = users::table
                    .select((users::external_id, holds.or(is_signed.and(quarantined.or(enqueued)))))
                    .filter(users::source.eq(source))
                    // A literal: PostgreSQL considers the index of deleted rows only for it.
                    .filter(sql::<Bool>("status = 'deleted'"))
                    .into_boxed();
                if let Some(after) = &after {
                    rows = rows.filter(users::external_id.gt(after));
                }
                rows.order(users::external_id).limit(limit).load(inner)
            })?;
            let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
            let last = rows.last().filter(|_| is_full).map(|(id, _)| id.clone());
            Ok((rows.into_iter().filter(|(_, holds)| *holds).map(|(id, _)| id).collect(), last))
        })
        .await
    }
}
