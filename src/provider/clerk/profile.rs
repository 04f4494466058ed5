//! Maps a user payload to our columns.
//!
//! Called by [`super::Clerk`]. Pure. Private and unsafe metadata are not declared, so they are never
//! read.

use super::payload::{self, EmailAddress, PayloadError, PhoneNumber, UserPayload, Verification};
use crate::domain::text::{clean, clean_json};
use crate::domain::{MetadataNames, Profile, Status, Timestamp};
use crate::provider::json::Object;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// `seen_at` dates the end of a lock, which the payload gives in seconds from then.
pub(super) fn map(
    payload: UserPayload<'_>,
    seen_at: Option<Timestamp>,
    names: &MetadataNames,
) -> Result<Profile, PayloadError> {
    let status = status(&payload);
    let locked_until = match (status, payload.lockout_expires_in_seconds) {
        (Status::Locked, Some(seconds)) => {
            seen_at.and_then(|at| at.plus_seconds(seconds.to_i64()?))
        }
        _ => None,
    };
    let (email_id, phone_id) = (payload.primary_email_address_id, payload.primary_phone_number_id);
    let email = primary(email_id.as_deref(), payload.email_addresses, |email: EmailAddress| {
        contact(email.id, email.email_address, email.verification)
    });
    let phone = primary(phone_id.as_deref(), payload.phone_numbers, |phone: PhoneNumber| {
        contact(phone.id, phone.phone_number, phone.verification)
    });
    let metadata = metadata(payload.public_metadata)?;
    let value = |name: &str| metadata.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Profile {
        source_external_id: clean(payload.external_id),
        email_verified: email.as_ref().is_some_and(|email| email.verified),
        email: email.map(|email| email.value),
        phone: phone.map(|phone| phone.value),
        username: clean(payload.username),
        first_name: clean(payload.first_name),
        last_name: clean(payload.last_name),
        image_url: clean(payload.image_url),
        source_id: value(&names.id),
        source_role: clean(value(&names.role)),
        source_plan: clean(value(&names.plan)),
        public_metadata: metadata.to_string(),
        status,
        locked_until,
        source_created_at: payload::instant(payload.created_at, "data.created_at")?,
    })
}

/// Bans and locks have no event of their own: they are fields of the user (trap 19).
fn status(payload: &UserPayload<'_>) -> Status {
    let is = |flag: Option<bool>| flag == Some(true);
    if is(payload.banned) || is(payload.deprovisioned) {
        Status::Banned
    } else if is(payload.locked) {
        Status::Locked
    } else {
        Status::Active
    }
}

struct Contact {
    id: Option<String>,
    value: String,
    verified: bool,
}

fn contact(
    id: Option<String>,
    value: Option<String>,
    verification: Option<Object<Verification>>,
) -> Option<Contact> {
    let verified = verification.and_then(|Object(verification)| verification.status);
    let verified = verified.as_deref() == Some("verified");
    clean(value).map(|value| Contact { id, value, verified })
}

/// The contact that the primary id names, wherever it is in the list (trap 11); where the id is
/// absent or names none, the first verified one (trap 12).
fn primary<T>(
    id: Option<&str>,
    list: Option<Vec<Option<Object<T>>>>,
    contact: impl Fn(T) -> Option<Contact>,
) -> Option<Contact> {
    let mut contacts: Vec<Contact> =
        list.into_iter().flatten().flatten().filter_map(|Object(item)| contact(item)).collect();
    let chosen = contacts
        .iter()
        .position(|contact| id.is_some() && contact.id.as_deref() == id)
        .or_else(|| contacts.iter().position(|contact| contact.verified))?;
    Some(contacts.swap_remove(chosen))
}

/// The public metadata in one form, whatever the order of its keys.
fn metadata(raw: Option<&RawValue>) -> Result<Value, PayloadError> {
    let object: Option<Map<String, Value>> = payload::field(raw, "data.public_metadata")?;
    let mut metadata = Value::Object(object.unwrap_or_default());
    clean_json(&mut metadata);
    Ok(metadata)
}
