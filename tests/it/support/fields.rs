//! The fields that the API documents, in their order.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

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
    serde_json::from_str::<FieldNames>(json).unwrap().0
}

struct FieldNames(Vec<String>);

impl<'de> Deserialize<'de> for FieldNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = FieldNames;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldNames, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = map.next_entry()? {
            names.push(name);
        }
        Ok(FieldNames(names))
    }
}

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
