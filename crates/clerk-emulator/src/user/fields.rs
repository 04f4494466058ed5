//! Sets fields of a user from the parameters of a request.
//!
//! Called by the routes that create and update, and by the methods of `Emulator`. Refuses what the
//! provider refuses: unknown keys and values of the wrong type.

use super::contact::{EmailAddress, PhoneNumber};
use super::metadata::{self, KINDS};
use super::{Ids, User};
use crate::error::ApiError;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Accepted without an effect on the user object.
const WITHOUT_EFFECT: [&str; 12] = [
    "password_digest",
    "password_hasher",
    "skip_password_checks",
    "skip_password_requirement",
    "skip_legal_checks",
    "skip_user_requirement",
    "totp_secret",
    "backup_codes",
    "web3_wallet",
    "notify_primary_email_address_changed",
    "sign_out_of_other_sessions",
    "profile_image_id",
];

/// The parameters of creating a user.
pub(crate) fn fill(user: &mut User, fields: &Value, ids: &mut Ids<'_>) -> Result<(), ApiError> {
    for (key, value) in object(fields)? {
        match key.as_str() {
            "email_address" => set_emails(user, texts(key, value)?, ids),
            "phone_number" => set_phones(user, texts(key, value)?, ids),
            kind if KINDS.contains(&kind) => set_metadata(user, kind, value)?,
            _ => set(user, key, value)?,
        }
    }
    metadata::check_size(user)
}

/// The parameters of updating a user: no metadata, which has routes of its own.
pub(crate) fn update(user: &mut User, fields: &Value) -> Result<(), ApiError> {
    for (key, value) in object(fields)? {
        match key.as_str() {
            "primary_email_address_id" => {
                let known = |id: &str| user.email_addresses.iter().any(|email| email.id == id);
                user.primary_email_address_id = Some(one_of(key, value, known)?);
            }
            "primary_phone_number_id" => {
                let known = |id: &str| user.phone_numbers.iter().any(|phone| phone.id == id);
                user.primary_phone_number_id = Some(one_of(key, value, known)?);
            }
            "primary_web3_wallet_id" => {
                user.primary_web3_wallet_id = Some(one_of(key, value, |_| false)?);
            }
            _ => set(user, key, value)?,
        }
    }
    Ok(())
}

/// The parameters of [`fill`], and any field of the user object as it is.
pub(crate) fn overlay(user: &mut User, fields: &Value, ids: &mut Ids<'_>) -> Result<(), ApiError> {
    let mut shape = user.to_value();
    let mut parameters = Map::new();
    for (key, value) in object(fields)? {
        // Times are parameters too: they may be in RFC 3339.
        let is_time = ["created_at", "legal_accepted_at"].contains(&key.as_str());
        match shape.get_mut(key).filter(|_| !is_time) {
            Some(place) => *place = value.clone(),
            None => drop(parameters.insert(key.clone(), value.clone())),
        }
    }
    let id = user.id.clone();
    *user = serde_json::from_value(shape).map_err(|_| {
        ApiError::invalid("body", "holds a field of another kind than it should be.")
    })?;
    user.id = id;
    fill(user, &parameters.into(), ids)
}

fn set(user: &mut User, key: &str, value: &Value) -> Result<(), ApiError> {
    match key {
        "external_id" => user.external_id = text(key, value)?,
        "username" => user.username = text(key, value)?,
        "first_name" => user.first_name = text(key, value)?,
        "last_name" => user.last_name = text(key, value)?,
        "locale" => user.locale = text(key, value)?,
        "delete_self_enabled" => set_flag(&mut user.delete_self_enabled, key, value)?,
        "bypass_client_trust" => set_flag(&mut user.bypass_client_trust, key, value)?,
        "create_organization_enabled" => {
            set_flag(&mut user.create_organization_enabled, key, value)?;
        }
        "create_organizations_limit" => user.create_organizations_limit = value.as_i64(),
        "created_at" => user.created_at = time(key, value)?.unwrap_or(user.created_at),
        "legal_accepted_at" => user.legal_accepted_at = time(key, value)?,
        "password" => user.password_enabled = value.is_string(),
        _ if WITHOUT_EFFECT.contains(&key) => {}
        _ => return Err(ApiError::unknown(key)),
    }
    Ok(())
}

/// An empty text means no value.
fn text(key: &str, value: &Value) -> Result<Option<String>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        _ => Err(ApiError::invalid(key, "must be a string.")),
    }
}

fn set_flag(place: &mut bool, key: &str, value: &Value) -> Result<(), ApiError> {
    match value {
        Value::Null => {}
        Value::Bool(flag) => *place = *flag,
        _ => return Err(ApiError::invalid(key, "must be a boolean.")),
    }
    Ok(())
}

/// RFC 3339 as at the provider, or milliseconds.
fn time(key: &str, value: &Value) -> Result<Option<i64>, ApiError> {
    let text = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let time = text.map(Timestamp::as_millisecond).or_else(|| value.as_i64());
    if time.is_none() && !value.is_null() {
        let message = "must be a valid RFC 3339 timestamp.";
        return Err(ApiError::parameter("form_param_format_invalid", message, key));
    }
    Ok(time)
}

fn set_emails(user: &mut User, emails: Vec<String>, ids: &mut Ids<'_>) {
    let now = user.created_at;
    let new = |email: String| EmailAddress::verified(ids.issue("idn"), email, now);
    user.email_addresses = emails.into_iter().map(new).collect();
    user.primary_email_address_id = user.email_addresses.first().map(|email| email.id.clone());
}

fn set_phones(user: &mut User, phones: Vec<String>, ids: &mut Ids<'_>) {
    let now = user.created_at;
    let new = |phone: String| PhoneNumber::verified(ids.issue("idn"), phone, now);
    user.phone_numbers = phones.into_iter().map(new).collect();
    user.primary_phone_number_id = user.phone_numbers.first().map(|phone| phone.id.clone());
}

fn set_metadata(user: &mut User, kind: &str, value: &Value) -> Result<(), ApiError> {
    let Some(place) = metadata::of_kind(user, kind) else {
        return Err(ApiError::unknown(kind));
    };
    match value {
        Value::Null => {}
        Value::Object(_) => *place = value.clone(),
        _ => return Err(ApiError::invalid(kind, "must be an object.")),
    }
    Ok(())
}

fn object(fields: &Value) -> Result<&Map<String, Value>, ApiError> {
    fields.as_object().ok_or_else(|| ApiError::invalid("body", "must be an object."))
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::invalid(key, "must be an array of strings.");
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.iter().map(text).collect(),
        Value::String(text) => Ok(vec![text.clone()]),
        _ => Err(wrong()),
    }
}

fn one_of(key: &str, value: &Value, known: impl Fn(&str) -> bool) -> Result<String, ApiError> {
    let id = value.as_str().filter(|id| known(id));
    id.map(str::to_owned).ok_or_else(|| ApiError::invalid(key, "does not match an identification."))
}
