//! A row as write-back, absences, sessions and operators look at it, and what operators choose.
//!
//! An operator's choice is a column beside the snapshot's word; snapshots never touch it, so it
//! needs no place in the order of versions.

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::users;
use super::types::{Json, Moment};
use crate::domain::{Entitlements, Override, Version};
use diesel::prelude::*;

/// A row as far as write-back, absences and sessions look at it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct StoredUser {
    /// Our id.
    pub id: String,
    /// The provider's id.
    pub external_id: String,
    /// `active`, `banned`, `locked` or `deleted`.
    pub status: String,
    /// `signed` or `absent`, where it is deleted.
    pub deletion_kind: Option<String>,
    /// The role word of the snapshot.
    pub source_role: Option<String>,
    /// An operator's choice of role.
    pub set_role: Option<String>,
    /// The plan word of the snapshot.
    pub source_plan: Option<String>,
    /// An operator's choice of plan.
    pub set_plan: Option<String>,
    /// The snapshot's public metadata, an object.
    pub public_metadata: Json,
    /// The snapshot's `updated_at`, in milliseconds.
    pub version_updated_at: i64,
    /// The mapping that made the row.
    pub version_projection: i16,
    /// How the snapshot was come by.
    pub version_kind: i16,
    /// When it was, in milliseconds.
    pub version_seen_at: i64,
    /// When the user was last asked for.
    pub last_fetched_at: Option<Moment>,
}

impl StoredUser {
    /// Whether a file is all that is known of the user.
    pub fn is_imported(&self) -> bool {
        self.version_kind == Version::IMPORTED.kind
    }

    /// Whether the row holds a user, and no tombstone.
    pub fn is_live(&self) -> bool {
        self.deletion_kind.is_none()
    }
}

/// The user of the provider's id.
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

/// Likewise, and on PostgreSQL keeps everybody else from changing the row until the transaction
/// ends; on SQLite nobody can.
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

/// Writes an operator's choices, and with them the effective words.
pub(super) fn set_override(
    connection: &mut AnyConnection,
    stored: &mut StoredUser,
    entitlements: &Entitlements,
    overrides: &Override,
    now: Moment,
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
