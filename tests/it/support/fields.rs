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

/// What is personal of a snapshot, besides its metadata.
pub const PROFILE_COLUMNS: [&str; 9] = [
    "source_external_id",
    "email",
    "email_lower",
    "phone",
    "username",
    "first_name",
    "last_name",
    "name",
    "image_url",
];

pub const ENTITLEMENT_COLUMNS: [&str; 4] = ["role", "source_role", "plan", "source_plan"];

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

pub const JOB_FIELDS: [&str; 15] = [
    "id",
    "kind",
    "dry_run",
    "allow_mass_delete",
    "state",
    "counters",
    "write_back",
    "drift",
    "cursor",
    "expected",
    "rate_per_second",
    "seconds_left",
    "started_at",
    "finished_at",
    "error",
];
