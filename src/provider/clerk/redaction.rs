//! Which part of a quarantined body is stored, and which users it concerns.
//!
//! Called by `ingest` when a delivery is quarantined. Pure. Private and unsafe metadata are never
//! stored, so they are cut out wherever the body parses; the users are found, so that a deletion can
//! erase the body.

use crate::domain::text;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};

/// Keys whose values are never stored, at any depth.
const NEVER_STORED: [&str; 2] = ["private_metadata", "unsafe_metadata"];

/// Values nested deeper than this are not parsed, hence not stored.
const DEEPEST: usize = 64;

/// A body that names more users is not kept: each of their deletions would have to find it.
pub const MOST_SUBJECTS: usize = 100;

/// `body` without private and unsafe metadata where it parses, else as it is.
pub fn redact(body: &[u8]) -> Vec<u8> {
    let Ok(whole) = serde_json::from_slice::<&RawValue>(body) else {
        return body.to_vec();
    };
    let mut cutter = Cutter { cut_anything: false };
    let rest = cutter.without_metadata(whole.get(), 0);
    if cutter.cut_anything { rest.into_bytes() } else { body.to_vec() }
}

/// Splits JSON without reading strings and numbers, so that also what no Rust type holds (half a
/// surrogate pair, a number beyond all bounds) is cut.
struct Cutter {
    cut_anything: bool,
}

impl Cutter {
    fn without_metadata(&mut self, json: &str, depth: usize) -> String {
        match json.as_bytes().first() {
            Some(b'{' | b'[') if depth == DEEPEST => self.nothing(),
            Some(b'{') => match serde_json::from_str::<BTreeMap<String, &RawValue>>(json) {
                Ok(object) => self.object(object, depth + 1),
                Err(_) => self.nothing(),
            },
            Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(json) {
                Ok(items) => {
                    let items: Vec<String> = items
                        .into_iter()
                        .map(|item| self.without_metadata(item.get(), depth + 1))
                        .collect();
                    format!("[{}]", items.join(","))
                }
                Err(_) => self.nothing(),
            },
            _ => json.to_owned(),
        }
    }

    fn object(&mut self, mut object: BTreeMap<String, &RawValue>, depth: usize) -> String {
        let before = object.len();
        object.retain(|key, _| !NEVER_STORED.contains(&key.as_str()));
        self.cut_anything |= object.len() < before;
        let fields: Vec<String> = object
            .into_iter()
            .map(|(key, value)| {
                format!("{}:{}", Value::String(key), self.without_metadata(value.get(), depth))
            })
            .collect();
        format!("{{{}}}", fields.join(","))
    }

    /// Replaces a value that cannot be split.
    fn nothing(&mut self) -> String {
        self.cut_anything = true;
        "null".to_owned()
    }
}

/// The users whom `body` concerns: `data.id` where it is a string, else each `user_…` token in the
/// bytes once, in order of appearance.
pub fn subjects(body: &[u8]) -> Vec<String> {
    let id = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|value| Some(value.get("data")?.get("id")?.as_str()?.to_owned()))
        .and_then(|id| text::clean(Some(id)));
    match id {
        // No row has an id that is too long, and no deletion can name it.
        Some(id) => text::external_id(id).into_iter().collect(),
        None => user_tokens(body),
    }
}

/// Every `user_` followed by letters or digits, once, up to one more than [`MOST_SUBJECTS`]. A token
/// that is no user's id never matches a deletion.
fn user_tokens(body: &[u8]) -> Vec<String> {
    const PREFIX: &str = "user_";
    // NUL is no part of an id that is stored.
    let text = String::from_utf8_lossy(body).replace("\\u0000", "");
    let (mut known, mut tokens) = (HashSet::new(), Vec::new());
    for rest in text.split(PREFIX).skip(1) {
        let identifier: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        let token = text::external_id(format!("{PREFIX}{identifier}"));
        if let Some(token) = token.filter(|_| !identifier.is_empty())
            && known.insert(token.clone())
        {
            tokens.push(token);
        }
        if tokens.len() > MOST_SUBJECTS {
            break;
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
    fn metadata_is_cut_also_beside_what_no_string_can_hold() {
        let body = br#"{"data":{"first_name":"\ud800","private_metadata":{"card":"1"}}}"#;
        assert_eq!(redact(body), br#"{"data":{"first_name":"\ud800"}}"#);
        let deep =
            format!(r#"{{"a":{}1{},"unsafe_metadata":1}}"#, "[".repeat(500), "]".repeat(500));
        let kept = String::from_utf8(redact(deep.as_bytes())).unwrap();
        assert!(kept.contains("null") && !kept.contains("unsafe_metadata"), "{kept}");
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
        assert_eq!(subjects(br#"{"data":{"id":"user_\u00001\u00002""#), ["user_12"]);
        assert!(subjects(b"nobody_ user_ user_-").is_empty());
        assert_eq!(subjects(br#"{"data":{"id":" user_1\u0000 "}}"#), ["user_1"]);
        assert!(
            subjects(format!(r#"{{"data":{{"id":"{}"}}}}"#, "x".repeat(256)).as_bytes()).is_empty()
        );
        let many: Vec<String> = (0..60_000).map(|number| format!("user_{number}")).collect();
        assert_eq!(subjects(many.join(" ").as_bytes()).len(), super::MOST_SUBJECTS + 1);
    }
}
