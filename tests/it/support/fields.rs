//! The fields that the API documents, in their order.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

pub const USER_FIELDS: [&str; 23] = [
    "id",
    "source",
    "external_id",
    "source_external_id",
    "email",
    "email_verified",
    "phone",
    "username",
    "first_name",
    "last_name",
    "name",
    "image_url",
    "role",
    "plan",
    "public_metadata",
    "status",
    "last_sign_in_at",
    "source_created_at",
    "source_updated_at",
    "created_at",
    "updated_at",
    "synced_at",
    "deleted_at",
];

/// The names of a JSON object's fields, in the order of its text.
pub fn field_names(json: &str) -> Vec<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap();
    let mut fields: Vec<(String, &RawValue)> = fields.into_iter().collect();
    fields.sort_by_key(|(_, value)| value.get().as_ptr());
    fields.into_iter().map(|(name, _)| name).collect()
}

/// What a snapshot brings, besides status and metadata.
pub const SNAPSHOT_COLUMNS: [&str; 14] = [
    "source_external_id",
    "email",
    "email_lower",
    "phone",
    "username",
    "first_name",
    "last_name",
    "name",
    "image_url",
    "role",
    "source_role",
    "plan",
    "source_plan",
    "source_created_at",
];

pub const JOB_COUNTERS: [&str; 9] = [
    "seen",
    "created",
    "updated",
    "unchanged",
    "tombstoned",
    "missing",
    "stale",
    "extra",
    "failed",
];
