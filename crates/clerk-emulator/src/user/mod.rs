//! The user object, with all the fields that the provider sends, in its order.
//!
//! Changed by [`fields`] and [`metadata`], stored by `directory`, sent as it is by the routes and
//! with sorted keys in events. Knows neither time nor other users.

pub(crate) mod contact;
pub(crate) mod fields;
pub(crate) mod metadata;

use crate::rng::SeededRng;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use contact::{EmailAddress, PhoneNumber};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// All times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the provider's object has them")]
pub(crate) struct User {
    pub id: String,
    pub object: String,
    pub external_id: Option<String>,
    pub primary_email_address_id: Option<String>,
    pub primary_phone_number_id: Option<String>,
    pub primary_web3_wallet_id: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub locale: Option<String>,
    pub profile_image_url: String,
    pub image_url: String,
    pub has_image: bool,
    pub public_metadata: Value,
    pub private_metadata: Value,
    pub unsafe_metadata: Value,
    pub email_addresses: Vec<EmailAddress>,
    pub phone_numbers: Vec<PhoneNumber>,
    pub web3_wallets: Vec<Value>,
    pub passkeys: Vec<Value>,
    pub external_accounts: Vec<Value>,
    pub saml_accounts: Vec<Value>,
    pub enterprise_accounts: Vec<Value>,
    pub organization_memberships: Vec<Value>,
    pub password_enabled: bool,
    pub two_factor_enabled: bool,
    pub totp_enabled: bool,
    pub backup_code_enabled: bool,
    pub password_last_updated_at: Option<i64>,
    pub mfa_enabled_at: Option<i64>,
    pub mfa_disabled_at: Option<i64>,
    pub last_sign_in_at: Option<i64>,
    pub last_active_at: Option<i64>,
    pub banned: bool,
    pub locked: bool,
    pub deprovisioned: bool,
    pub lockout_expires_in_seconds: Option<i64>,
    pub verification_attempts_remaining: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub delete_self_enabled: bool,
    pub create_organization_enabled: bool,
    pub create_organizations_limit: Option<i64>,
    pub legal_accepted_at: Option<i64>,
    pub bypass_client_trust: bool,
    pub scim: Option<Value>,
    pub requires_password_reset: bool,
    pub gender: String,
    pub birthday: String,
}

const VERIFICATION_ATTEMPTS: i64 = 100;

const LOCKOUT_SECONDS: i64 = 3_600;

impl User {
    pub(crate) fn new(id: String, instance_id: &str, now: i64) -> Self {
        let image_url = image_url(&id, instance_id);
        Self {
            id,
            object: "user".to_owned(),
            profile_image_url: image_url.clone(),
            image_url,
            public_metadata: json!({}),
            private_metadata: json!({}),
            unsafe_metadata: json!({}),
            verification_attempts_remaining: Some(VERIFICATION_ATTEMPTS),
            created_at: now,
            updated_at: now,
            delete_self_enabled: true,
            create_organization_enabled: true,
            ..Self::default()
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    pub(crate) fn lock(&mut self, locked: bool) {
        self.locked = locked;
        self.lockout_expires_in_seconds = locked.then_some(LOCKOUT_SECONDS);
    }
}

/// Issues ids of users and of everything that belongs to them.
pub(crate) struct Ids<'a> {
    pub rng: &'a SeededRng,
    pub next: &'a mut u64,
}

impl Ids<'_> {
    pub(crate) fn issue(&mut self, prefix: &str) -> String {
        *self.next += 1;
        format!("{prefix}_{}", self.rng.letters(prefix, *self.next, 27))
    }
}

/// Users without an upload have a default image, whose URL names instance and user in base64.
pub(crate) fn image_url(id: &str, instance_id: &str) -> String {
    let json = format!(r#"{{"iid":"{instance_id}","rid":"{id}","type":"default"}}"#);
    format!("https://img.clerk.com/{}", STANDARD_NO_PAD.encode(json))
}
