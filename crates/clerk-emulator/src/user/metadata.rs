//! Metadata of a user: merged deeply or replaced.
//!
//! Called by the metadata routes and by the methods of `Emulator`. Pure.

use super::User;
use crate::error::ApiError;
use serde_json::{Map, Value};

/// Of all three kinds together, as JSON.
const MOST_BYTES: usize = 8 * 1024;

pub(super) const KINDS: [&str; 3] = ["public_metadata", "private_metadata", "unsafe_metadata"];

/// Merges at every level; a null removes its key.
pub(crate) fn merge(user: &mut User, fields: &Value) -> Result<(), ApiError> {
    change(user, fields, |old, new| match new {
        Value::Object(new) => merge_into(old, new),
        _ => *old = new.clone(),
    })
}

/// Replaces each given kind as a whole.
pub(crate) fn replace(user: &mut User, fields: &Value) -> Result<(), ApiError> {
    change(user, fields, |old, new| *old = new.clone())
}

fn change(
    user: &mut User,
    fields: &Value,
    apply: impl Fn(&mut Value, &Value),
) -> Result<(), ApiError> {
    let Value::Object(fields) = fields else {
        return Err(ApiError::invalid("body", "must be an object."));
    };
    for (key, value) in fields {
        let Some(kind) = of_kind(user, key) else {
            return Err(ApiError::unknown(key));
        };
        if !value.is_object() && !value.is_null() {
            return Err(ApiError::invalid(key, "must be an object."));
        }
        apply(kind, value);
    }
    check_size(user)
}

pub(super) fn of_kind<'a>(user: &'a mut User, kind: &str) -> Option<&'a mut Value> {
    match kind {
        "public_metadata" => Some(&mut user.public_metadata),
        "private_metadata" => Some(&mut user.private_metadata),
        "unsafe_metadata" => Some(&mut user.unsafe_metadata),
        _ => None,
    }
}

pub(super) fn check_size(user: &User) -> Result<(), ApiError> {
    let kinds = [&user.public_metadata, &user.private_metadata, &user.unsafe_metadata];
    let bytes: usize = kinds.iter().map(|kind| kind.to_string().len()).sum();
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    let message = "exceeds the maximum allowed size of 8 KB.";
    Err(ApiError::parameter("form_param_exceeds_allowed_size", message, "metadata"))
}

fn merge_into(old: &mut Value, new: &Map<String, Value>) {
    if !old.is_object() {
        *old = Value::Object(Map::new());
    }
    let Value::Object(old) = old else {
        return;
    };
    for (key, value) in new {
        match value {
            Value::Null => {
                old.remove(key);
            }
            Value::Object(inner) => {
                merge_into(old.entry(key.clone()).or_insert(Value::Null), inner);
            }
            other => {
                old.insert(key.clone(), other.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{merge, replace};
    use crate::user::User;
    use serde_json::{Value, json};

    fn with(public: Value) -> User {
        let mut user = User::new("user_1".into(), "ins_1", 1);
        user.public_metadata = public;
        user
    }

    #[test]
    fn a_merge_is_deep_and_null_removes_at_any_level() {
        let mut user =
            with(json!({"a": 1, "deep": {"x": 1, "y": 2}, "list": [1, 2], "gone": true}));
        let patch = json!({"public_metadata": {
            "deep": {"y": null, "z": {"n": null, "m": 1}}, "list": [3], "gone": null, "a": {"b": 1},
        }});
        merge(&mut user, &patch).unwrap();
        let merged = json!({"a": {"b": 1}, "deep": {"x": 1, "z": {"m": 1}}, "list": [3]});
        assert_eq!(user.public_metadata, merged);
        assert_eq!(user.private_metadata, json!({}));
    }

    #[test]
    fn a_replacement_is_whole_and_leaves_the_other_kinds() {
        let mut user = with(json!({"a": 1}));
        replace(&mut user, &json!({"public_metadata": {"b": null}})).unwrap();
        assert_eq!(user.public_metadata, json!({"b": null}));
        replace(&mut user, &json!({"unsafe_metadata": {"c": 1}})).unwrap();
        assert_eq!(user.public_metadata, json!({"b": null}));
    }

    #[test]
    fn other_fields_and_too_much_are_refused() {
        let mut user = with(json!({}));
        assert!(merge(&mut user, &json!({"first_name": "Ada"})).is_err());
        assert!(merge(&mut user, &json!({"public_metadata": 1})).is_err());
        assert!(merge(&mut user, &json!({"public_metadata": {"a": "x".repeat(9_000)}})).is_err());
    }
}
