//! What is left of deleted users: nothing personal should be.

use crate::store::connection::both;
use crate::store::schema::{quarantine_subjects, users, write_backs};
use crate::store::{Store, StoreError};
use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

/// What a deletion of either kind empties. An absence keeps an operator's choices and the last
/// sign-in; a signed deletion keeps nothing.
const HOLDS_SOMETHING: &str = "(source_external_id IS NOT NULL OR email IS NOT NULL \
    OR email_lower IS NOT NULL OR email_verified OR phone IS NOT NULL OR username IS NOT NULL \
    OR first_name IS NOT NULL OR last_name IS NOT NULL OR name IS NOT NULL \
    OR image_url IS NOT NULL OR role IS NOT NULL OR source_role IS NOT NULL OR plan IS NOT NULL \
    OR source_plan IS NOT NULL OR public_metadata <> '{}' OR locked_until IS NOT NULL \
    OR source_created_at IS NOT NULL OR deletion_kind = 'signed' AND (set_role IS NOT NULL \
        OR set_plan IS NOT NULL OR last_sign_in_at IS NOT NULL OR last_fetched_at IS NOT NULL))";

impl Store {
    /// Deleted users, among up to `limit` behind the user `after`, of whom something personal is
    /// left: in their row, in the quarantine, or to be told to the provider. Also the last one of
    /// those who were looked at, unless these were all.
    pub async fn erasure_violations(
        &self,
        source: &'static str,
        after: Option<String>,
        limit: i64,
    ) -> Result<(Vec<String>, Option<String>), StoreError> {
        self.read(move |connection| {
            macro_rules! rows {
                ($inner:expr) => {{
                    let is_signed = users::deletion_kind.eq("signed").assume_not_null();
                    let quarantined = exists(
                        quarantine_subjects::table
                            .filter(quarantine_subjects::subject.eq(users::external_id))
                            .filter(quarantine_subjects::source.eq(users::source)),
                    );
                    let noted = exists(
                        write_backs::table
                            .filter(write_backs::external_id.eq(users::external_id))
                            .filter(write_backs::source.eq(users::source)),
                    );
                    let holds = sql::<Bool>(HOLDS_SOMETHING);
                    let mut rows = users::table
                        .select((users::external_id, holds.or(is_signed.and(quarantined.or(noted)))))
                        .filter(users::source.eq(source))
                        // A literal, since the index of rows without a user is only considered for it.
                        .filter(sql::<Bool>("status = 'deleted'"))
                        .into_boxed();
                    if let Some(after) = &after {
                        rows = rows.filter(users::external_id.gt(after));
                    }
                    rows.order(users::external_id).limit(limit).load::<(String, bool)>($inner)?
                }};
            }
            let rows = both!(connection, |inner| rows!(inner));
            let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
            let last = rows.last().filter(|_| is_full).map(|(id, _)| id.clone());
            Ok((rows.into_iter().filter(|(_, holds)| *holds).map(|(id, _)| id).collect(), last))
        })
        .await
    }
}
