//! A user's row as write-back, absences, sessions and overrides need it.
//!
//! An override is a column beside the snapshot's value; snapshots never touch it, so it has no
//! version.

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::users;
use super::types::Json;
use crate::domain::{Entitlements, OverrideChanges, Timestamp, Version};
use diesel::prelude::*;

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct StoredUser {
    pub id: String,
    pub external_id: String,
    /// `active`, `banned`, `locked` or `deleted`.
    pub status: String,
    /// `signed` or `absent`, where the row is deleted.
    pub deletion_kind: Option<String>,
    pub source_role: Option<String>,
    pub set_role: Option<String>,
    pub source_plan: Option<String>,
    pub set_plan: Option<String>,
    /// Always a JSON object.
    pub public_metadata: Json,
    /// In milliseconds.
    pub version_updated_at: i64,
    pub version_projection: i16,
    pub version_kind: i16,
    /// In milliseconds.
    pub version_seen_at: i64,
    pub last_fetched_at: Option<Timestamp>,
}

impl StoredUser {
    /// Whether only an import has written the row.
    pub fn is_imported(&self) -> bool {
        self.version_kind == Version::IMPORTED.kind
    }

    /// When the provider sent the event, or we sent the fetch, that the row shows.
    pub fn seen_at(&self) -> Option<Timestamp> {
        Timestamp::from_millis(self.version_seen_at)
    }

    /// Whether the row is neither emptied nor a tombstone.
    pub fn is_live(&self) -> bool {
        self.deletion_kind.is_none()
    }
}

pub(super) fn find(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
) -> Result<Option<StoredUser>, StoreError> {
    Ok(both!(connection, |inner| users::table
        .filter(users::external_id.eq(external_id).and(users::source.eq(source)))
        .select(StoredUser::as_select())
        .first(inner)
        .optional())?)
}

/// Likewise, and on PostgreSQL locks the row until the transaction ends; SQLite has one writer.
pub(super) fn lock(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
) -> Result<Option<StoredUser>, StoreError> {
    let the_user = users::external_id.eq(external_id).and(users::source.eq(source));
    match connection {
        AnyConnection::Postgres(inner) => Ok(users::table
            .filter(the_user)
            .select(StoredUser::as_select())
            .for_update()
            .first(inner)
            .optional()?),
        AnyConnection::Sqlite(_) => find(connection, source, external_id),
    }
}

/// Writes overrides, and with them the effective role and plan.
pub(super) fn set_override(
    connection: &mut AnyConnection,
    stored: &mut StoredUser,
    entitlements: &Entitlements,
    overrides: &OverrideChanges,
    now: Timestamp,
) -> Result<(), StoreError> {
    stored.set_role = overrides.role.apply(stored.set_role.as_deref());
    stored.set_plan = overrides.plan.apply(stored.set_plan.as_deref());
    let (source_role, source_plan) = (stored.source_role.as_deref(), stored.source_plan.as_deref());
    let role = stored.set_role.clone().unwrap_or_else(|| entitlements.roles.effective(source_role));
    let plan = stored.set_plan.clone().unwrap_or_else(|| entitlements.plans.effective(source_plan));
    both!(connection, |inner| diesel::update(users::table.find(&stored.id))
        .set((
            users::set_role.eq(&stored.set_role),
            users::set_plan.eq(&stored.set_plan),
            users::role.eq(role),
            users::plan.eq(plan),
            users::updated_at.eq(now),
        ))
        .execute(inner))?;
    Ok(())
}
