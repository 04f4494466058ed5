//! Events of invented users.

use serde_json::{Value, json};

/// An id that looks like the provider's, the same for the same number.
pub fn user_id(number: usize) -> String {
    format!("user_{number:027}")
}

/// A `user.updated` event: the user as of `updated_at` (milliseconds).
pub fn user(id: &str, updated_at: i64) -> Value {
    json!({
        "type": "user.updated",
        "object": "event",
        "timestamp": updated_at,
        "instance_id": "ins_1",
        "data": {
            "id": id,
            "object": "user",
            "first_name": "Ada",
            "last_name": format!("Version{updated_at}"),
            "primary_email_address_id": "idn_1",
            "email_addresses": [{
                "id": "idn_1",
                "email_address": format!("{id}@example.org"),
                "verification": {"status": "verified"},
            }],
            "public_metadata": {},
            "created_at": 1_700_000_000_000_i64,
            "updated_at": updated_at,
        },
    })
}

/// Likewise, with another value of a field of the user.
pub fn user_with(id: &str, updated_at: i64, field: &str, value: impl Into<Value>) -> Value {
    let mut event = user(id, updated_at);
    event["data"][field] = value.into();
    event
}

/// The first user, with this public metadata.
pub fn with_metadata(updated_at: i64, metadata: Value) -> Value {
    user_with(&user_id(1), updated_at, "public_metadata", metadata)
}

/// A `user.updated` event of a user object of the emulator, as of the moment when it was so.
pub fn event_of(user: &Value) -> Value {
    json!({
        "type": "user.updated",
        "object": "event",
        "timestamp": user["updated_at"],
        "instance_id": clerk_emulator::INSTANCE,
        "data": user,
    })
}

pub fn deleted(id: &str) -> Value {
    json!({
        "type": "user.deleted",
        "object": "event",
        "timestamp": 1_800_000_000_000_i64,
        "instance_id": "ins_1",
        "data": {"id": id, "object": "user", "deleted": true},
    })
}
