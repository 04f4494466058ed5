//! The bodies of events: keys sorted, compact, as the provider writes them.

use super::user::User;
use bytes::Bytes;
use serde_json::{Value, json};

/// What an event says of a user that is gone: no address, no metadata, no time.
pub(super) fn deleted(user: &User) -> Value {
    let mut data = json!({"deleted": true, "id": user.id, "object": "user"});
    if let (Some(id), Value::Object(data)) = (&user.external_id, &mut data) {
        data.insert("external_id".to_owned(), id.as_str().into());
    }
    data
}

/// The bytes of an event. The keys of a JSON object are sorted here as everywhere in this
/// program: its maps are trees.
pub(super) fn body(kind: &str, data: &Value, instance: &str, now: i64) -> Bytes {
    let event = json!({
        "data": data,
        "event_attributes": {
            "http_request": {"client_ip": "127.0.0.1", "user_agent": "usersync-emulator"},
        },
        "instance_id": instance,
        "object": "event",
        "timestamp": now,
        "type": kind,
    });
    Bytes::from(event.to_string())
}
