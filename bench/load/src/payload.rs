//! The body of an event: the full current user object, as Clerk sends it with every `user.created` and
//! `user.updated`, keys in alphabetical order, about 2 KB.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

use crate::user::{SignUp, User};

pub(crate) const INSTANCE_ID: &str = "ins_2aLoadGeneratorInstance0001";
const USER_AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";

const PLAIN_IMAGE_URL: &str = "https://www.gravatar.com/avatar?d=mp";

/// What happened to a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Created,
    /// A newer snapshot: its `updated_at` and how many updates of this run came before it.
    Updated {
        at_ms: u64,
        round: u64,
    },
}

/// The body of the event as compact JSON.
pub(crate) fn body(user: &User, change: Change) -> Vec<u8> {
    let updated_at = updated_at(user, change);
    let event = json!({
        "data": user_object(user, change),
        "event_attributes": { "http_request": { "client_ip": user.client_ip, "user_agent": USER_AGENT } },
        "instance_id": INSTANCE_ID,
        "object": "event",
        "timestamp": updated_at + 18,
        "type": match change { Change::Created => "user.created", Change::Updated { .. } => "user.updated" },
    });
    event.to_string().into_bytes()
}

fn updated_at(user: &User, change: Change) -> u64 {
    match change {
        Change::Created => user.created_at + 41,
        Change::Updated { at_ms, .. } => at_ms,
    }
}

/// The user as the API gives it, and as an event carries it.
pub(crate) fn user_object(user: &User, change: Change) -> Value {
    let updated_at = updated_at(user, change);
    let has_phone = user.sign_up == SignUp::Phone;
    let has_password = user.sign_up == SignUp::Password;
    let signed_in = matches!(change, Change::Updated { .. }).then_some(updated_at - 250);
    json!({
        "backup_code_enabled": false, "banned": false, "bypass_client_trust": false,
        "create_organization_enabled": true, "create_organizations_limit": null, "created_at": user.created_at,
        "delete_self_enabled": true, "deprovisioned": false,
        "email_addresses": [email_address(user)],
        "enterprise_accounts": [], "external_accounts": external_accounts(user), "external_id": null,
        "first_name": user.first_name, "has_image": user.sign_up == SignUp::Google, "id": user.id,
        "image_url": image_url(user), "last_active_at": signed_in.unwrap_or(user.created_at), "last_name": user.last_name,
        "last_sign_in_at": signed_in, "legal_accepted_at": user.created_at, "locale": "en-US", "locked": false,
        "lockout_expires_in_seconds": null, "mfa_disabled_at": null, "mfa_enabled_at": null, "object": "user",
        "passkeys": [], "password_enabled": has_password,
        "password_last_updated_at": has_password.then_some(user.created_at), "phone_numbers": phone_numbers(user),
        "primary_email_address_id": user.email_id, "primary_phone_number_id": has_phone.then_some(&user.link_id),
        "primary_web3_wallet_id": null, "private_metadata": {}, "profile_image_url": PLAIN_IMAGE_URL,
        "public_metadata": public_metadata(change), "requires_password_reset": false, "saml_accounts": [], "scim": null,
        "totp_enabled": false, "two_factor_enabled": false, "unsafe_metadata": { "referrer": "pricing" },
        "updated_at": updated_at, "username": user.username, "verification_attempts_remaining": 100, "web3_wallets": []
    })
}

fn public_metadata(change: Change) -> Value {
    match change {
        Change::Created => json!({}),
        Change::Updated { round, .. } => {
            json!({ "onboarded": true, "role": "user", "visits": round })
        }
    }
}

fn email_address(user: &User) -> Value {
    let google = user.sign_up == SignUp::Google;
    let verification = if google {
        json!({ "attempts": null, "expire_at": null, "object": "verification_from_oauth", "status": "verified",
            "strategy": "from_oauth_google" })
    } else {
        json!({ "attempts": 1, "expire_at": user.created_at + 579_461, "object": "verification_otp", "status": "verified",
            "strategy": "email_code" })
    };
    let linked_to =
        if google { json!([{ "id": user.link_id, "type": "oauth_google" }]) } else { json!([]) };
    json!({ "created_at": user.created_at - 21_159, "email_address": user.email, "id": user.email_id, "linked_to": linked_to,
        "matches_sso_connection": false, "object": "email_address", "reserved": false, "updated_at": user.created_at + 6,
        "verification": verification })
}

fn external_accounts(user: &User) -> Value {
    if user.sign_up != SignUp::Google {
        return json!([]);
    }
    json!([{ "approved_scopes": "email openid profile",
        "avatar_url": "https://lh3.googleusercontent.com/a/ACg8ocKq0sV3synthetic1000-c", "created_at": user.created_at - 50,
        "email_address": user.email, "email_address_verified": true, "first_name": user.first_name, "id": user.account_id,
        "identification_id": user.link_id, "image_url": PLAIN_IMAGE_URL, "label": null, "last_name": user.last_name,
        "object": "external_account", "phone_number": null, "provider": "oauth_google",
        "provider_user_id": user.provider_user_id, "public_metadata": {}, "updated_at": user.created_at - 50, "username": null,
        "verification": { "attempts": null, "expire_at": user.created_at + 600_000, "object": "verification_oauth",
            "status": "verified", "strategy": "oauth_google" } }])
}

fn phone_numbers(user: &User) -> Value {
    if user.sign_up != SignUp::Phone {
        return json!([]);
    }
    json!([{ "backup_codes": null, "created_at": user.created_at - 9_000, "default_second_factor": false, "id": user.link_id,
        "linked_to": [], "object": "phone_number", "phone_number": user.phone, "reserved": false,
        "reserved_for_second_factor": false, "updated_at": user.created_at - 100,
        "verification": { "attempts": 1, "channel": "sms", "expire_at": user.created_at + 600_000,
            "object": "verification_otp", "status": "verified", "strategy": "phone_code" } }])
}

/// Clerk's image URLs carry a base64 JSON that names the instance and the user.
pub(crate) fn image_url(user: &User) -> String {
    let initial = user.first_name.chars().next().unwrap_or('U');
    // Without `json!`, which would take as long as the rest of a user in a page.
    let description = format!(
        r#"{{"iid":"{INSTANCE_ID}","initials":"{initial}","rid":"{}","type":"default"}}"#,
        user.id
    );
    let mut url = String::from("https://img.clerk.com/");
    STANDARD_NO_PAD.encode_string(description, &mut url);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_full_payloads_of_about_two_kilobytes() {
        let bodies: Vec<Vec<u8>> =
            (0..500).map(|number| body(&User::number(number), Change::Created)).collect();
        let mean = bodies.iter().map(Vec::len).sum::<usize>() / bodies.len();
        assert!((1_800..2_600).contains(&mean), "{mean}");
        let event: Value = serde_json::from_slice(&bodies[0]).unwrap();
        assert_eq!(event["type"], "user.created");
        assert_eq!(
            event["data"]["email_addresses"][0]["id"],
            event["data"]["primary_email_address_id"]
        );
    }
}
