//! Reads the columns of rows that a page is compared with. Called by [`super`].

use crate::domain::{ProfileColumns, RowState, RowView, Snapshot, Timestamp, Version};
use crate::store::StoreError;
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::users;
use crate::store::types::Json;
use diesel::prelude::*;
use std::collections::HashMap;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct Row {
    pub(super) id: String,
    external_id: String,
    version_updated_at: i64,
    version_projection: i16,
    version_kind: i16,
    version_seen_at: i64,
    version_digest: Vec<u8>,
    locked_until: Option<Timestamp>,
    last_sign_in_at: Option<Timestamp>,
    role: Option<String>,
    plan: Option<String>,
    pub(super) set_role: Option<String>,
    pub(super) set_plan: Option<String>,
    deletion_kind: Option<String>,
    pub(super) synced_at: Timestamp,
    last_fetched_at: Option<Timestamp>,
    source_external_id: Option<String>,
    email: Option<String>,
    email_lower: Option<String>,
    email_verified: bool,
    phone: Option<String>,
    username: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    name: Option<String>,
    image_url: Option<String>,
    source_role: Option<String>,
    source_plan: Option<String>,
    public_metadata: Json,
    status: String,
    source_created_at: Option<Timestamp>,
}

impl Row {
    pub(super) fn view(&self) -> RowView<'_> {
        RowView {
            version: self.version(),
            synced_at: self.synced_at,
            last_fetched_at: self.last_fetched_at,
            profile: self.profile(),
            locked_until: self.locked_until,
            last_sign_in_at: self.last_sign_in_at,
            role: self.role.as_deref(),
            plan: self.plan.as_deref(),
            set_role: self.set_role.as_deref(),
            set_plan: self.set_plan.as_deref(),
            state: match self.deletion_kind.as_deref() {
                None => RowState::Live,
                Some("signed") => RowState::Deleted,
                Some(_) => RowState::Absent,
            },
        }
    }

    fn version(&self) -> Version {
        Version {
            updated_at_ms: self.version_updated_at,
            projection: self.version_projection,
            kind: self.version_kind,
            seen_at_ms: self.version_seen_at,
            digest: self.version_digest.as_slice().try_into().unwrap_or_default(),
        }
    }

    fn profile(&self) -> ProfileColumns<'_> {
        ProfileColumns {
            source_external_id: self.source_external_id.as_deref(),
            email: self.email.as_deref(),
            email_lower: self.email_lower.as_deref(),
            email_verified: self.email_verified,
            phone: self.phone.as_deref(),
            username: self.username.as_deref(),
            first_name: self.first_name.as_deref(),
            last_name: self.last_name.as_deref(),
            name: self.name.as_deref(),
            image_url: self.image_url.as_deref(),
            source_role: self.source_role.as_deref(),
            source_plan: self.source_plan.as_deref(),
            public_metadata: &self.public_metadata.0,
            status: &self.status,
            source_created_at: self.source_created_at,
        }
    }

    /// Lowers the version below any snapshot's, so that the guard lets the next one pass; unless
    /// something was written since the row was loaded.
    pub(super) fn lower_version(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let lowest = Version::IMPORTED;
        let row = users::table.find(&self.id).filter(
            users::version_updated_at
                .eq(self.version_updated_at)
                .and(users::version_projection.eq(self.version_projection))
                .and(users::version_kind.eq(self.version_kind))
                .and(users::version_seen_at.eq(self.version_seen_at))
                .and(users::version_digest.eq(&self.version_digest)),
        );
        both!(connection, |inner| diesel::update(row)
            .set((
                users::version_updated_at.eq(lowest.updated_at_ms),
                users::version_projection.eq(lowest.projection),
                users::version_kind.eq(lowest.kind),
                users::version_seen_at.eq(lowest.seen_at_ms),
                users::version_digest.eq(lowest.digest.as_slice()),
            ))
            .execute(inner))?;
        Ok(())
    }

    /// Whether the snapshot alone shows that write-back would send nothing.
    pub(super) fn needs_no_write_back(&self, snapshot: &Snapshot) -> bool {
        let has_override = self.set_role.is_some() || self.set_plan.is_some();
        !has_override && snapshot.acknowledged_id.as_deref() == Some(&self.id)
    }
}

/// Loads the rows of some users, by external id.
pub(super) fn load_rows<'a>(
    connection: &mut AnyConnection,
    source: &str,
    external_ids: impl Iterator<Item = &'a str>,
) -> Result<HashMap<String, Row>, StoreError> {
    let ids: Vec<&str> = external_ids.collect();
    let rows: Vec<Row> = both!(connection, |inner| users::table
        .filter(users::external_id.eq_any(&ids).and(users::source.eq(source)))
        .select(Row::as_select())
        .load(inner))?;
    Ok(rows.into_iter().map(|row| (row.external_id.clone(), row)).collect())
}
