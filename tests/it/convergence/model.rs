//! The row of a user, computed from the set of things seen alone: events, fetched snapshots and
//! absences.
//!
//! Written without the service's own code: the greatest version wins, the last sign-in and the last
//! fetch are the latest of all, and a deletion is terminal.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Below this an envelope's timestamp is in seconds.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// The row that a non-empty set of observations of one user must produce. `type` is a
/// provider's event type, `fetched` or `absence`.
pub fn row(external_id: &str, events: &[Value]) -> Value {
    if events.iter().any(|event| event["type"] == "user.deleted") {
        return tombstone(external_id);
    }
    let winner = events.iter().max_by_key(|event| version(event)).unwrap();
    let sign_ins = events.iter().filter_map(|event| event["data"]["last_sign_in_at"].as_i64());
    let fetches = events.iter().filter(|event| event["type"] == "fetched");
    let mut row = match winner["type"].as_str() {
        Some("absence") => emptied(external_id, winner),
        _ => snapshot(external_id, winner),
    };
    row["last_fetched_at"] = json!(fetches.filter_map(seen_at).max().map(instant));
    row["last_sign_in_at"] = json!(sign_ins.max().map(instant));
    row
}

/// (`updated_at`, projection, kind, `seen_at`, digest). The projection is 1, the kind 1 for an
/// event and 2 for what was asked for; an absence has no digest.
type ModelVersion = (i64, i16, i16, i64, [u8; 32]);

fn version(event: &Value) -> ModelVersion {
    let updated_at = event["data"]["updated_at"].as_i64().unwrap_or(0);
    let seen_at = seen_at(event).unwrap_or(0);
    match event["type"].as_str() {
        Some("absence") => (updated_at, 1, 2, seen_at, [0; 32]),
        Some("fetched") => (updated_at, 1, 2, seen_at, digest(&event["data"])),
        _ => (updated_at, 1, 1, seen_at, digest(&event["data"])),
    }
}

fn seen_at(event: &Value) -> Option<i64> {
    let timestamp = event["timestamp"].as_i64()?;
    let in_seconds = timestamp < SECONDS_BELOW;
    Some(timestamp * if in_seconds { 1000 } else { 1 })
}

/// The form of the digest is fixed between releases and replicas: each mapped column in
/// a fixed order, as 0 where it is null, else as 1, its length in eight bytes, its bytes.
fn digest(data: &Value) -> [u8; 32] {
    let (email, verified) = email(data);
    let metadata = metadata(data).to_string();
    let created_at = data["created_at"].as_i64().map(i64::to_le_bytes);
    let columns = [
        text(&data["external_id"]).map(String::into_bytes),
        email.map(String::into_bytes),
        None,
        text(&data["username"]).map(String::into_bytes),
        text(&data["first_name"]).map(String::into_bytes),
        text(&data["last_name"]).map(String::into_bytes),
        text(&data["image_url"]).map(String::into_bytes),
        word(data, "role").map(String::into_bytes),
        word(data, "plan").map(String::into_bytes),
        Some(metadata.into_bytes()),
        Some(status(data).as_bytes().to_vec()),
        Some(vec![u8::from(verified)]),
        created_at.map(|bytes| bytes.to_vec()),
    ];
    let mut hash = Sha256::new();
    for column in columns {
        let Some(bytes) = column else {
            hash.update([0]);
            continue;
        };
        hash.update([1]);
        hash.update(u64::try_from(bytes.len()).unwrap().to_le_bytes());
        hash.update(bytes);
    }
    hash.finalize().into()
}

fn snapshot(external_id: &str, event: &Value) -> Value {
    let data = &event["data"];
    let (email, verified) = email(data);
    let role = word(data, "role");
    let known = |role: &String| ["user", "admin"].contains(&role.as_str());
    let (first, last) = (text(&data["first_name"]), text(&data["last_name"]));
    let locked_for = data["lockout_expires_in_seconds"].as_i64();
    let locked_until = locked_for
        .filter(|_| status(data) == "locked")
        .and_then(|seconds| Some(seen_at(event)? + seconds * 1000));
    let mut row = json!({
        "source": "clerk",
        "external_id": external_id,
        "source_external_id": text(&data["external_id"]),
        "email_lower": email.as_ref().map(|email| email.to_lowercase()),
        "email": email,
        "email_verified": verified,
        "phone": null,
        "username": text(&data["username"]),
        "name": name(first.as_deref(), last.as_deref(), text(&data["username"])),
        "first_name": first,
        "last_name": last,
        "image_url": text(&data["image_url"]),
        "role": role.clone().filter(known).unwrap_or_else(|| "user".to_owned()),
        "source_role": role,
        "set_role": null,
        "plan": word(data, "plan").unwrap_or_else(|| "free".to_owned()),
        "source_plan": word(data, "plan"),
        "set_plan": null,
        "public_metadata": metadata(data),
        "status": status(data),
        "locked_until": locked_until.map(instant),
        "last_fetched_at": null,
        "last_sign_in_at": null,
        "source_created_at": data["created_at"].as_i64().map(instant),
        "deletion_kind": null,
    });
    set_version(&mut row, version(event));
    row
}

/// Nothing but the pseudonym, the status, and the version of the absence.
fn emptied(external_id: &str, absence: &Value) -> Value {
    let mut row = tombstone(external_id);
    row["deletion_kind"] = json!("absent");
    set_version(&mut row, version(absence));
    row
}

/// Nothing but the pseudonym, the status, and one constant as the version.
fn tombstone(external_id: &str) -> Value {
    let mut row = snapshot(external_id, &json!({}));
    let kept = ["source", "external_id", "email_verified", "public_metadata"];
    for (column, value) in row.as_object_mut().unwrap() {
        if !kept.contains(&column.as_str()) {
            *value = Value::Null;
        }
    }
    row["status"] = json!("deleted");
    row["deletion_kind"] = json!("signed");
    set_version(&mut row, (i64::MAX, i16::MAX, i16::MAX, i64::MAX, [0xff; 32]));
    row
}

fn set_version(row: &mut Value, version: ModelVersion) {
    let (updated_at, projection, kind, seen_at, digest) = version;
    row["version_updated_at"] = json!(updated_at);
    row["version_projection"] = json!(projection);
    row["version_kind"] = json!(kind);
    row["version_seen_at"] = json!(seen_at);
    row["version_digest"] = json!(hex(digest));
}

/// The address whose id is the primary one, else the first verified one.
fn email(data: &Value) -> (Option<String>, bool) {
    let addresses = data["email_addresses"].as_array();
    let addresses: Vec<&Value> = addresses.into_iter().flatten().collect();
    let primary = &data["primary_email_address_id"];
    let verified = |address: &&&Value| address["verification"]["status"] == "verified";
    let chosen = addresses
        .iter()
        .find(|address| !primary.is_null() && address["id"] == *primary)
        .or_else(|| addresses.iter().find(verified));
    chosen.map_or((None, false), |address| (text(&address["email_address"]), verified(&address)))
}

fn name(first: Option<&str>, last: Option<&str>, username: Option<String>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => format!("{first} {last}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => username.unwrap_or_else(|| "User".to_owned()),
    }
}

fn status(data: &Value) -> &'static str {
    match (&data["banned"], &data["locked"]) {
        (Value::Bool(true), _) => "banned",
        (_, Value::Bool(true)) => "locked",
        _ => "active",
    }
}

fn metadata(data: &Value) -> Value {
    match &data["public_metadata"] {
        Value::Null => json!({}),
        given => given.clone(),
    }
}

fn word(data: &Value, key: &str) -> Option<String> {
    text(&data["public_metadata"][key])
}

/// A string without surrounding space; blank is none.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn instant(milliseconds: i64) -> String {
    let instant = jiff::Timestamp::from_millisecond(milliseconds).unwrap();
    format!("{instant:.3}")
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).concat()
}
