//! Reads the columns of rows that a page is compared with. Called by [`super`].

use crate::domain::{RowState, RowView, Snapshot, Timestamp, Version};
use crate::store::StoreError;
use crate::store::connection::{AnyConnection, both};
use crate::store::schema::users;
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
}

impl Row {
    pub(super) fn view(&self) -> RowView<'_> {
        RowView {
            version: Version {
                updated_at_ms: self.version_updated_at,
                projection: self.version_projection,
                kind: self.version_kind,
                seen_at_ms: self.version_seen_at,
                digest: self.version_digest.as_slice().try_into().unwrap_or_default(),
            },
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
