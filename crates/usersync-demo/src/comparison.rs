//! Whether provider and table agree, row by row.
//!
//! Called by [`crate::run()`] at the end. Pure, and independent of the mapping that the service uses, so that
//! a mistake there is found here.

use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The roles that the service of a demo knows; the first is the default.
const ROLES: [&str; 2] = ["user", "admin"];

/// What the row of a deleted user must not hold.
const PERSONAL: [&str; 8] = [
    "source_external_id",
    "email",
    "phone",
    "username",
    "first_name",
    "last_name",
    "name",
    "image_url",
];

pub(crate) struct Sides<'a> {
    /// Every user object of the provider.
    pub(crate) live: &'a [Value],
    /// Every id that the provider ever issued.
    pub(crate) issued: &'a [String],
    /// Every row, those of deleted users too.
    pub(crate) rows: &'a [Value],
    /// The role that an operator chose for a user, by the user's id.
    pub(crate) chosen: &'a BTreeMap<String, String>,
}

/// One value that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Discrepancy {
    pub(crate) external_id: String,
    pub(crate) field: &'static str,
    pub(crate) provider: Value,
    pub(crate) table: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct ComparisonResult {
    /// Users on both sides.
    pub(crate) live: usize,
    /// Deleted users with an emptied row.
    pub(crate) deleted: usize,
    /// Deleted users none of whose events was delivered.
    pub(crate) deleted_without_row: usize,
    pub(crate) discrepancies: Vec<Discrepancy>,
}

impl Sides<'_> {
    pub(crate) fn compare(&self) -> ComparisonResult {
        let mut comparison = ComparisonResult::default();
        let mut rows: BTreeMap<&str, &Value> = BTreeMap::new();
        let issued: BTreeSet<&str> = self.issued.iter().map(String::as_str).collect();
        for row in self.rows {
            let id = text(row, "external_id");
            if rows.insert(id, row).is_some() || !issued.contains(id) {
                comparison.add(id, "row", Value::Null, json!("a row too many"));
            }
        }
        let live: BTreeMap<&str, &Value> =
            self.live.iter().map(|user| (text(user, "id"), user)).collect();
        for id in issued {
            match (live.get(id), rows.get(id)) {
                (Some(user), Some(row)) => self.compare_live(id, user, row, &mut comparison),
                (Some(_), None) => comparison.add(id, "row", json!("a user"), Value::Null),
                (None, Some(row)) => compare_deleted(id, row, &mut comparison),
                (None, None) => comparison.deleted_without_row += 1,
            }
        }
        comparison
    }

    fn compare_live(&self, id: &str, user: &Value, row: &Value, comparison: &mut ComparisonResult) {
        comparison.live += 1;
        for (field, expected) in expected(user) {
            comparison.check(id, field, expected, at(row, field));
        }
        let metadata = at(user, "public_metadata");
        comparison.check(id, "public_metadata.dbId", at(&metadata, "dbId"), at(row, "id"));
        if let Some(role) = self.chosen.get(id) {
            comparison.check(id, "public_metadata.role", at(&metadata, "role"), json!(role));
        }
    }
}

impl ComparisonResult {
    /// A deleted user has no row only if all its events were dropped, at least two. If fewer were
    /// dropped, the service lost tombstones.
    pub(crate) fn check_missing_tombstones(&mut self, dropped_events: u64) {
        let silent = u64::try_from(self.deleted_without_row).unwrap_or(u64::MAX);
        if silent.saturating_mul(2) > dropped_events {
            let (dropped, silent) = (json!(dropped_events), json!(silent));
            self.add("deleted users without a row", "dropped events", dropped, silent);
        }
    }

    fn check(&mut self, id: &str, field: &'static str, provider: Value, table: Value) {
        if provider != table {
            self.add(id, field, provider, table);
        }
    }

    fn add(&mut self, id: &str, field: &'static str, provider: Value, table: Value) {
        let external_id = id.to_owned();
        self.discrepancies.push(Discrepancy { external_id, field, provider, table });
    }
}

/// What the row of a user must be.
fn expected(user: &Value) -> [(&'static str, Value); 12] {
    let flag = |key: &str| user.get(key) == Some(&Value::Bool(true));
    let status = match (flag("banned"), flag("locked")) {
        (true, _) => "banned",
        (false, true) => "locked",
        (false, false) => "active",
    };
    let metadata = at(user, "public_metadata");
    let role = ROLES.iter().find(|role| text(&metadata, "role") == **role).unwrap_or(&"user");
    [
        ("email", primary(user, "primary_email_address_id", "email_addresses", "email_address")),
        ("phone", primary(user, "primary_phone_number_id", "phone_numbers", "phone_number")),
        ("username", at(user, "username")),
        ("source_external_id", at(user, "external_id")),
        ("name", name(user)),
        ("plan", json!("free")),
        ("first_name", at(user, "first_name")),
        ("last_name", at(user, "last_name")),
        ("image_url", at(user, "image_url")),
        ("role", json!(role)),
        ("status", json!(status)),
        ("public_metadata", metadata),
    ]
}

/// Both names, else the one there is, else the user name.
fn name(user: &Value) -> Value {
    let parts = ["first_name", "last_name"].map(|key| text(user, key));
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    match (parts.is_empty(), text(user, "username")) {
        (false, _) => json!(parts.join(" ")),
        (true, "") => json!("User"),
        (true, username) => json!(username),
    }
}

/// The address that a user's primary id names.
fn primary(user: &Value, id: &str, list: &str, value: &str) -> Value {
    let id = at(user, id);
    let list = user.get(list).and_then(Value::as_array).into_iter().flatten();
    list.filter(|one| !id.is_null() && at(one, "id") == id)
        .map(|one| at(one, value))
        .next()
        .unwrap_or(Value::Null)
}

fn compare_deleted(id: &str, row: &Value, comparison: &mut ComparisonResult) {
    comparison.deleted += 1;
    comparison.check(id, "status", json!("deleted"), at(row, "status"));
    for field in PERSONAL {
        comparison.check(id, field, Value::Null, at(row, field));
    }
    comparison.check(id, "public_metadata", json!({}), at(row, "public_metadata"));
}

fn at(value: &Value, key: &str) -> Value {
    value.get(key).cloned().unwrap_or(Value::Null)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{ComparisonResult, Sides};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn user() -> Value {
        json!({
            "id": "user_1", "username": null, "first_name": "Ada", "last_name": "Lovelace",
            "image_url": "https://img.example", "banned": false, "locked": false,
            "primary_email_address_id": "idn_2", "primary_phone_number_id": null,
            "email_addresses": [
                {"id": "idn_1", "email_address": "old@example.test"},
                {"id": "idn_2", "email_address": "ada@example.test"},
            ],
            "phone_numbers": [], "public_metadata": {"dbId": "7", "role": "admin"},
        })
    }

    fn row() -> Value {
        json!({
            "id": "7", "external_id": "user_1", "email": "ada@example.test", "phone": null,
            "username": null, "first_name": "Ada", "last_name": "Lovelace",
            "image_url": "https://img.example", "role": "admin", "status": "active",
            "name": "Ada Lovelace", "plan": "free",
            "public_metadata": {"dbId": "7", "role": "admin"},
        })
    }

    fn gone() -> Value {
        json!({"id": "8", "external_id": "user_2", "status": "deleted", "public_metadata": {}})
    }

    fn compare(live: &[Value], rows: &[Value]) -> ComparisonResult {
        let issued = ["user_1", "user_2", "user_3"].map(str::to_owned);
        let chosen = BTreeMap::from([("user_1".to_owned(), "admin".to_owned())]);
        Sides { live, issued: &issued, rows, chosen: &chosen }.compare()
    }

    fn fields(comparison: &ComparisonResult) -> Vec<&str> {
        comparison.discrepancies.iter().map(|discrepancy| discrepancy.field).collect()
    }

    #[test]
    fn equal_sides_agree() {
        let comparison = compare(&[user()], &[row(), gone()]);
        let counts = (comparison.live, comparison.deleted, comparison.deleted_without_row);
        assert_eq!((counts, fields(&comparison)), ((1, 1, 1), vec![]));
    }

    #[test]
    fn each_value_that_differs_is_reported_by_id_and_field() {
        for (field, value) in [
            ("email", json!("old@example.test")),
            ("phone", json!("+15550000001")),
            ("username", json!("ada")),
            ("first_name", json!(null)),
            ("last_name", json!("Byron")),
            ("image_url", json!(null)),
            ("role", json!("user")),
            ("status", json!("banned")),
            ("public_metadata", json!({"role": "admin"})),
        ] {
            let mut changed = row();
            changed[field] = value;
            let comparison = compare(&[user()], &[changed, gone()]);
            assert_eq!(fields(&comparison), [field]);
            assert_eq!(comparison.discrepancies[0].external_id, "user_1");
        }
    }

    #[test]
    fn the_provider_must_hold_the_id_of_the_row_and_the_role_that_was_chosen() {
        let (mut changed, mut other) = (row(), user());
        changed["id"] = json!("9");
        assert_eq!(fields(&compare(&[user()], &[changed, gone()])), ["public_metadata.dbId"]);
        other["public_metadata"]["role"] = json!("user");
        let mut changed = row();
        changed["public_metadata"] = other["public_metadata"].clone();
        changed["role"] = json!("user");
        assert_eq!(fields(&compare(&[other], &[changed, gone()])), ["public_metadata.role"]);
    }

    #[test]
    fn missing_rows_surplus_rows_and_rows_that_were_not_emptied_are_found() {
        assert_eq!(fields(&compare(&[user()], &[])), ["row"]);
        assert_eq!(fields(&compare(&[], &[row()]))[0], "status");
        let mut kept = gone();
        kept["email"] = json!("grace@example.test");
        assert_eq!(fields(&compare(&[user()], &[row(), kept])), ["email"]);
        let mut stranger = gone();
        stranger["external_id"] = json!("user_9");
        assert_eq!(fields(&compare(&[user()], &[row(), stranger, gone(), gone()])), ["row", "row"]);
    }

    #[test]
    fn more_users_without_a_row_than_events_were_dropped_is_a_discrepancy() {
        let mut comparison =
            ComparisonResult { deleted_without_row: 2, ..ComparisonResult::default() };
        comparison.check_missing_tombstones(4);
        assert!(comparison.discrepancies.is_empty());
        comparison.check_missing_tombstones(3);
        assert_eq!(comparison.discrepancies.len(), 1);
    }
}
