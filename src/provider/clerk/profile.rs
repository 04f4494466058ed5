//! Maps a user payload to our columns.
//!
//! Called by [`super::Clerk`]. Pure. Private and unsafe metadata are not declared, so they are never
//! read.

use super::payload::{self, EmailAddress, PayloadError, PhoneNumber, UserPayload, Verification};
use crate::domain::text::{clean, clean_json};
use crate::domain::{MetadataNames, Profile, Status, UnixMillis};
use crate::provider::json::Object;
use serde_json::Value;
use serde_json::value::RawValue;

/// `seen_at` dates the end of a lock, which the payload gives in seconds from then.
pub(super) fn map(
    payload: UserPayload<'_>,
    seen_at: Option<UnixMillis>,
    names: &MetadataNames,
) -> Result<Profile, PayloadError> {
    let status = status(&payload);
    let locked_until = match (status, payload.lockout_expires_in_seconds) {
        (Status::Locked, Some(seconds)) => {
            seen_at.and_then(|at| at.plus_seconds(seconds.to_i64()?))
        }
        _ => None,
    };
    let email = primary(payload.primary_email_address_id.as_deref(), payload.email_addresses);
    let phone = primary(payload.primary_phone_number_id.as_deref(), payload.phone_numbers);
    let metadata = Metadata::read(payload.public_metadata, names)?;
    Ok(Profile {
        source_external_id: clean(payload.external_id),
        email_verified: email.as_ref().is_some_and(|email| email.verified),
        email: email.map(|email| email.value),
        phone: phone.map(|phone| phone.value),
        username: clean(payload.username),
        first_name: clean(payload.first_name),
        last_name: clean(payload.last_name),
        image_url: clean(payload.image_url),
        source_id: metadata.id,
        source_role: metadata.role,
        source_plan: metadata.plan,
        public_metadata: metadata.text,
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

/// An email address or a phone number.
struct Contact {
    id: Option<String>,
    value: String,
    verified: bool,
}

trait IntoContact {
    fn into_contact(self) -> Option<Contact>;
}

impl IntoContact for EmailAddress {
    fn into_contact(self) -> Option<Contact> {
        contact(self.id, self.email_address, self.verification)
    }
}

impl IntoContact for PhoneNumber {
    fn into_contact(self) -> Option<Contact> {
        contact(self.id, self.phone_number, self.verification)
    }
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
fn primary<T: IntoContact>(
    id: Option<&str>,
    list: Option<Vec<Option<Object<T>>>>,
) -> Option<Contact> {
    let mut contacts: Vec<Contact> = list
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|Object(item)| item.into_contact())
        .collect();
    let chosen = contacts
        .iter()
        .position(|contact| id.is_some() && contact.id.as_deref() == id)
        .or_else(|| contacts.iter().position(|contact| contact.verified))?;
    Some(contacts.swap_remove(chosen))
}

/// The public metadata, and our values in it.
struct Metadata {
    text: String,
    id: Option<String>,
    role: Option<String>,
    plan: Option<String>,
}

impl Metadata {
    fn read(raw: Option<&RawValue>, names: &MetadataNames) -> Result<Self, PayloadError> {
        let empty = || Self { text: "{}".to_owned(), id: None, role: None, plan: None };
        let Some(raw) = raw.filter(|raw| raw.get() != "{}") else {
            return Ok(empty());
        };
        let mut value = Value::Object(payload::object(raw, "data.public_metadata")?);
        clean_json(&mut value);
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            id: text(&names.id),
            role: clean(text(&names.role)),
            plan: clean(text(&names.plan)),
            text: value.to_string(),
        })
    }
}
