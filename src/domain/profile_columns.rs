//! The columns of a row that its snapshot filled, and whether they still hold what it says.
//!
//! Asked by [`super::comparison`]. The digest of a row proves this only as long as nobody else
//! writes these columns: an application that does, or a restored part of a backup, is found here.

use super::time::Timestamp;
use super::user::Snapshot;
use serde_json::{Number, Value};

#[derive(Clone, Copy, Debug)]
pub struct ProfileColumns<'a> {
    pub source_external_id: Option<&'a str>,
    pub email: Option<&'a str>,
    pub email_lower: Option<&'a str>,
    pub email_verified: bool,
    pub phone: Option<&'a str>,
    pub username: Option<&'a str>,
    pub first_name: Option<&'a str>,
    pub last_name: Option<&'a str>,
    pub name: Option<&'a str>,
    pub image_url: Option<&'a str>,
    pub source_role: Option<&'a str>,
    pub source_plan: Option<&'a str>,
    /// JSON, as the database writes it.
    pub public_metadata: &'a str,
    pub status: &'a str,
    pub source_created_at: Option<Timestamp>,
}

impl ProfileColumns<'_> {
    pub fn hold(&self, snapshot: &Snapshot) -> bool {
        let profile = &snapshot.profile;
        let texts = [
            (self.source_external_id, profile.source_external_id.as_deref()),
            (self.email, profile.email.as_deref()),
            (self.phone, profile.phone.as_deref()),
            (self.username, profile.username.as_deref()),
            (self.first_name, profile.first_name.as_deref()),
            (self.last_name, profile.last_name.as_deref()),
            (self.name, Some(snapshot.name.as_str())),
            (self.image_url, profile.image_url.as_deref()),
            (self.source_role, profile.source_role.as_deref()),
            (self.source_plan, profile.source_plan.as_deref()),
            (Some(self.status), Some(profile.status.as_str())),
        ];
        texts.iter().all(|(held, shown)| held == shown)
            && is_lower(self.email_lower, profile.email.as_deref())
            && self.email_verified == profile.email_verified
            && self.source_created_at == profile.source_created_at
            && is_same_json(self.public_metadata, &profile.public_metadata)
    }
}

fn is_lower(lower: Option<&str>, email: Option<&str>) -> bool {
    match (lower, email) {
        (Some(lower), Some(email)) => {
            let is_plain = email.is_ascii() && !email.bytes().any(|byte| byte.is_ascii_uppercase());
            if is_plain { lower == email } else { lower == email.to_lowercase() }
        }
        (lower, email) => lower == email,
    }
}

/// PostgreSQL spells JSON in its own way: with spaces, and the keys in another order.
fn is_same_json(one: &str, other: &str) -> bool {
    let parse = |text| serde_json::from_str::<Value>(text).ok();
    visible(one).eq(visible(other))
        || matches!((parse(one), parse(other)), (Some(one), Some(other)) if is_same(&one, &other))
}

/// The bytes of JSON without the spaces between its parts, so that most need no parsing.
fn visible(json: &str) -> impl Iterator<Item = u8> {
    let (mut is_text, mut is_escape) = (false, false);
    json.bytes().filter(move |byte| {
        let shows = is_text || *byte != b' ';
        is_text ^= *byte == b'"' && !is_escape;
        is_escape = is_text && *byte == b'\\' && !is_escape;
        shows
    })
}

fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => is_same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|other| is_same(value, other)))
        }
        _ => one == other,
    }
}

/// PostgreSQL writes 1e300 out in full, and parsing may miss the last bit of it.
fn is_same_number(one: &Number, other: &Number) -> bool {
    let close = |one: f64, other: f64| (one - other).abs() <= 4.0 * f64::EPSILON * one.abs();
    one == other
        || matches!((one.as_f64(), other.as_f64()), (Some(one), Some(other)) if close(one, other))
}

#[cfg(test)]
mod tests {
    use super::is_same_json;

    #[test]
    fn json_is_compared_by_what_it_says() {
        for (one, other, is_same) in [
            (r#"{"a":1,"b":[true,null]}"#, r#"{"b": [true, null], "a": 1}"#, true),
            ("{\"a\":1e300}", &format!("{{\"a\": 1{}}}", "0".repeat(300)), true),
            (r#"{"a":-0.0}"#, r#"{"a": 0.0}"#, true),
            (r#"{"a":1}"#, r#"{"a": 2}"#, false),
            (r#"{"a":1}"#, r#"{"a": 1, "b": null}"#, false),
            (r#"{"a":[1,2]}"#, r#"{"a": [2, 1]}"#, false),
            (r#"{"a":"x"}"#, r#"{"a": "y"}"#, false),
            (r#"{"a":"x y"}"#, r#"{"a": "xy"}"#, false),
            (r#"{"a\\":" ","b":" \" "}"#, r#"{"a\\": " ", "b": " \" "}"#, true),
            (r#"{"a\\":" ","b":" \" "}"#, r#"{"a\\": " ", "b": " \"  "}"#, false),
        ] {
            assert_eq!(is_same_json(one, other), is_same, "{one} {other}");
        }
    }
}
