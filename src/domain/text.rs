//! Cleans strings from outside before they are stored.
//!
//! PostgreSQL's text and jsonb cannot hold NUL, so it is removed on both engines; blank counts as
//! absent. Called by `provider` and `http`.

use serde_json::Value;

pub fn without_nul(mut text: String) -> String {
    if text.contains('\0') {
        text.retain(|character| character != '\0');
    }
    text
}

/// `text` without NUL and surrounding white space; `None` when nothing is left.
pub fn clean(text: Option<String>) -> Option<String> {
    let text = without_nul(text?);
    let trimmed = text.trim();
    match trimmed.len() {
        0 => None,
        length if length == text.len() => Some(text),
        _ => Some(trimmed.to_owned()),
    }
}

/// The provider's ids have about 32 bytes. More than this no index of a database takes.
pub const LONGEST_ID_BYTES: usize = 255;

/// An id as it is stored, erased and looked up; `None` for what is none.
pub fn external_id(text: String) -> Option<String> {
    clean(Some(text)).filter(|id| id.len() <= LONGEST_ID_BYTES)
}

/// Removes NUL from every key and string.
pub fn clean_json(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_nul(std::mem::take(text)),
        Value::Array(items) => items.iter_mut().for_each(clean_json),
        Value::Object(map) => {
            map.values_mut().for_each(clean_json);
            if map.keys().any(|key| key.contains('\0')) {
                *map = std::mem::take(map)
                    .into_iter()
                    .map(|(key, value)| (without_nul(key), value))
                    .collect();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_json};
    use serde_json::json;

    #[test]
    fn nul_and_surrounding_space_are_taken_out() {
        assert_eq!(clean(Some(" A\0da ".into())).as_deref(), Some("Ada"));
        assert_eq!(clean(Some(" \0 ".into())), None);
        assert_eq!(clean(None), None);
    }

    #[test]
    fn nul_is_taken_out_of_keys_and_nested_values() {
        let mut value = json!({"a\0": ["x\0y", {"b": "\0"}]});
        clean_json(&mut value);
        assert_eq!(value, json!({"a": ["xy", {"b": ""}]}));
    }
}
