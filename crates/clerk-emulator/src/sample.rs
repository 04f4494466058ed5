//! Invented users to begin with: as different from each other as real ones are.

use serde_json::{Value, json};

const FIRST: [&str; 12] = [
    "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Ken", "Frances", "Niklaus",
    "Zoë", "Łukasz",
];

const LAST: [&str; 11] = [
    "Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Perlman", "Thompson", "Allen",
    "Wirth", "O'Neil",
];

/// What is said when the user of a number signs up.
pub(super) fn user(number: usize) -> Value {
    let pick = |names: &[&'static str]| names.get(number % names.len().max(1)).copied();
    let (first, last) = (pick(&FIRST).unwrap_or_default(), pick(&LAST).unwrap_or_default());
    let mut fields = json!({"first_name": first});
    // Some have one name only, some no address, some no name but a username.
    if number % 7 != 3 {
        put(&mut fields, "last_name", last.into());
    }
    if number % 11 != 5 {
        put(&mut fields, "email_address", json!([format!("user.{number}@example.test")]));
    }
    if number.is_multiple_of(5) || number % 11 == 5 {
        put(&mut fields, "phone_number", json!([format!("+1555{number:07}")]));
    }
    if number % 4 == 1 {
        put(&mut fields, "username", format!("user_{number}").into());
    }
    if number % 13 == 8 {
        put(&mut fields, "public_metadata", json!({"role": "admin", "plan": "pro"}));
    }
    fields
}

fn put(fields: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = fields {
        fields.insert(key.to_owned(), value);
    }
}
