//! What may be kept of a body that could not be applied, and whose it is.
//!
//! Called when a delivery is quarantined. Private and unsafe metadata are never stored, so
//! they are cut out wherever the body parses; and every user whom the body concerns is
//! found, so that a deletion can erase it.

use serde_json::Value;

/// Keys whose values are never stored, at whatever depth they stand.
const NEVER_STORED: [&str; 2] = ["private_metadata", "unsafe_metadata"];

/// `body` without private and unsafe metadata where it parses, else as it is.
pub fn redact(body: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return body.to_vec();
    };
    if !cut(&mut value) {
        return body.to_vec();
    }
    serde_json::to_vec(&value).unwrap_or_default()
}

/// Removes the keys that are never stored; returns whether there were any.
fn cut(value: &mut Value) -> bool {
    let mut found = false;
    match value {
        Value::Array(items) => {
            for item in items {
                found |= cut(item);
            }
        }
        Value::Object(map) => {
            let before = map.len();
            map.retain(|key, _| !NEVER_STORED.contains(&key.as_str()));
            found = map.len() < before;
            for item in map.values_mut() {
                found |= cut(item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

/// The users whom `body` concerns: `data.id` where it is a string, else every
/// `user_…` token in the bytes, each once, in order of appearance.
pub fn subjects(body: &[u8]) -> Vec<String> {
    let id = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|value| Some(value.get("data")?.get("id")?.as_str()?.to_owned()))
        .map(super::text::without_nul)
        .filter(|id| !id.is_empty());
    id.map_or_else(|| user_tokens(body), |id| vec![id])
}

/// Every `user_` followed by letters or digits. Too many are harmless: a token that is no
/// user's id never meets a deletion.
fn user_tokens(body: &[u8]) -> Vec<String> {
    const PREFIX: &str = "user_";
    let text = String::from_utf8_lossy(body);
    let mut tokens: Vec<String> = Vec::new();
    for rest in text.split(PREFIX).skip(1) {
        let identifier: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        let token = format!("{PREFIX}{identifier}");
        if !identifier.is_empty() && !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::{redact, subjects};

    #[test]
    fn private_and_unsafe_metadata_are_cut_at_every_depth() {
        let body = br#"{"data":{"private_metadata":{"card":"1"},"x":[{"unsafe_metadata":2}],"id":"user_1"}}"#;
        assert_eq!(redact(body), br#"{"data":{"id":"user_1","x":[{}]}}"#);
    }

    #[test]
    fn a_body_without_them_keeps_its_bytes() {
        let body = b" {\"data\": {} } ";
        assert_eq!(redact(body), body);
        assert_eq!(redact(b"not json"), b"not json");
    }

    #[test]
    fn the_subject_is_the_id_or_every_user_token() {
        assert_eq!(subjects(br#"{"data":{"id":"user_1","by":"user_2"}}"#), ["user_1"]);
        let broken = br#"{"data":{"id":"user_1","note":"user_2, user_1"}"#;
        assert_eq!(subjects(broken), ["user_1", "user_2"]);
        assert!(subjects(b"nobody_ user_ user_-").is_empty());
    }
}
