//! Email addresses and phone numbers in the user object.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the provider named them")]
pub(crate) struct EmailAddress {
    pub id: String,
    #[serde(default = "email_address")]
    pub object: String,
    pub email_address: String,
    #[serde(default)]
    pub reserved: bool,
    #[serde(default)]
    pub verification: Value,
    #[serde(default)]
    pub linked_to: Vec<Value>,
    #[serde(default)]
    pub matches_sso_connection: bool,
    #[serde(default)]
    pub created_at: i64,
    #[serde(default)]
    pub updated_at: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the provider named them")]
pub(crate) struct PhoneNumber {
    pub id: String,
    #[serde(default = "phone_number")]
    pub object: String,
    pub phone_number: String,
    #[serde(default)]
    pub reserved_for_second_factor: bool,
    #[serde(default)]
    pub default_second_factor: bool,
    #[serde(default)]
    pub reserved: bool,
    #[serde(default)]
    pub verification: Value,
    #[serde(default)]
    pub linked_to: Vec<Value>,
    #[serde(default)]
    pub backup_codes: Option<Vec<String>>,
    #[serde(default)]
    pub created_at: i64,
    #[serde(default)]
    pub updated_at: i64,
}

fn email_address() -> String {
    "email_address".to_owned()
}

fn phone_number() -> String {
    "phone_number".to_owned()
}

impl EmailAddress {
    /// Verified because a server set it.
    pub(crate) fn verified(id: String, email_address: String, now: i64) -> Self {
        Self {
            id,
            object: self::email_address(),
            email_address,
            verification: verified_by_admin(),
            created_at: now,
            updated_at: now,
            ..Self::default()
        }
    }
}

impl PhoneNumber {
    /// Verified because a server set it.
    pub(crate) fn verified(id: String, phone_number: String, now: i64) -> Self {
        Self {
            id,
            object: self::phone_number(),
            phone_number,
            verification: verified_by_admin(),
            created_at: now,
            updated_at: now,
            ..Self::default()
        }
    }
}

fn verified_by_admin() -> Value {
    json!({
        "object": "verification_admin", "status": "verified", "strategy": "admin",
        "attempts": null, "expire_at": null,
    })
}
