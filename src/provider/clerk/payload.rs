//! The shapes of Clerk's JSON, as loose as real payloads are.
//!
//! Called by the rest of the folder for events, answers of the API and exported users. Pure.
//! Only what we map is declared (trap 17: nothing is denied, no enum is closed, everything
//! but the id may be absent, and `null` equals absent). A value of another JSON type in a
//! field that we map is a [`PayloadError`] with the path of that field, never with its value.

use crate::domain::{QuarantineReason, Timestamp};
use crate::provider::json::{self, Integer, Object};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct PayloadError {
    pub(super) reason: QuarantineReason,
    /// A JSON path such as `data.email_addresses[1].email_address`.
    pub(super) path: Option<String>,
}

impl PayloadError {
    pub(super) fn at(reason: QuarantineReason, path: &str) -> Self {
        Self { reason, path: Some(path.to_owned()) }
    }
}

/// Its fields stay raw: whether they are read depends on the type.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    event_type: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
    instance_id: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, PayloadError> {
        json::object(body).ok_or(PayloadError { reason: QuarantineReason::InvalidJson, path: None })
    }

    pub(super) fn event_type(&self) -> Result<String, PayloadError> {
        let event_type: Option<String> = field(self.event_type, "type")?;
        event_type.ok_or_else(|| PayloadError::at(QuarantineReason::MissingField, "type"))
    }

    pub(super) fn instance(&self) -> Result<Option<String>, PayloadError> {
        Ok(crate::domain::text::clean(field(self.instance_id, "instance_id")?))
    }

    /// Its unit differs between the provider's documents and its deliveries (trap 15).
    pub(super) fn timestamp(&self) -> Result<Option<Timestamp>, PayloadError> {
        let Some(number) = field::<Integer>(self.timestamp, "timestamp")? else {
            return Ok(None);
        };
        let time = number.to_i64().and_then(Timestamp::from_seconds_or_millis);
        time.map(Some).ok_or_else(|| PayloadError::at(QuarantineReason::OutOfRange, "timestamp"))
    }

    /// Reads `data`, which must be an object with an id.
    pub(super) fn data<T: Deserialize<'a>>(&self) -> Result<T, PayloadError> {
        whole(self.data.ok_or_else(|| PayloadError::at(QuarantineReason::MissingField, "data.id"))?)
    }
}

/// Reads an object that is an event's `data`, or a user of an answer of the API.
pub(super) fn whole<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, PayloadError> {
    match serde_json::from_str::<Object<T>>(raw.get()) {
        Ok(Object(whole)) => Ok(whole),
        Err(_) => Err(locate::<T>(raw)),
    }
}

pub(super) fn field<T: DeserializeOwned>(
    raw: Option<&RawValue>,
    path: &str,
) -> Result<Option<T>, PayloadError> {
    json::typed(raw, ()).map_err(|()| PayloadError::at(QuarantineReason::WrongType, path))
}

/// Reads again, slower, to find where the shape is wrong.
fn locate<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> PayloadError {
    let mut json = serde_json::Deserializer::from_str(raw.get());
    let path = serde_path_to_error::deserialize::<_, Object<T>>(&mut json)
        .err()
        .map(|error| error.path().to_string())
        .filter(|path| path != ".");
    let path = path.map_or_else(|| "data".to_owned(), |path| format!("data.{path}"));
    PayloadError { reason: QuarantineReason::WrongType, path: Some(path) }
}

/// `data` of `user.created` and `user.updated`: always the whole user.
#[derive(Deserialize)]
pub(super) struct UserPayload<'a> {
    pub(super) id: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) username: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) image_url: Option<String>,
    pub(super) primary_email_address_id: Option<String>,
    pub(super) email_addresses: Option<Vec<Option<Object<EmailAddress>>>>,
    pub(super) primary_phone_number_id: Option<String>,
    pub(super) phone_numbers: Option<Vec<Option<Object<PhoneNumber>>>>,
    #[serde(borrow)]
    pub(super) public_metadata: Option<&'a RawValue>,
    pub(super) banned: Option<bool>,
    pub(super) deprovisioned: Option<bool>,
    pub(super) locked: Option<bool>,
    pub(super) lockout_expires_in_seconds: Option<Integer>,
    pub(super) created_at: Option<Integer>,
    pub(super) updated_at: Option<Integer>,
    pub(super) last_sign_in_at: Option<Integer>,
}

/// `data` of `user.deleted`: an id and hardly more.
#[derive(Deserialize)]
pub(super) struct DeletedPayload {
    pub(super) id: Option<String>,
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the provider's names")]
pub(super) struct EmailAddress {
    pub(super) id: Option<String>,
    pub(super) email_address: Option<String>,
    pub(super) verification: Option<Object<Verification>>,
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the provider's names")]
pub(super) struct PhoneNumber {
    pub(super) id: Option<String>,
    pub(super) phone_number: Option<String>,
    pub(super) verification: Option<Object<Verification>>,
}

#[derive(Deserialize)]
pub(super) struct Verification {
    pub(super) status: Option<String>,
}

pub(super) fn instant(
    number: Option<Integer>,
    path: &str,
) -> Result<Option<Timestamp>, PayloadError> {
    number
        .map(|number| {
            let time = number.to_i64().and_then(Timestamp::from_millis);
            time.ok_or_else(|| PayloadError::at(QuarantineReason::OutOfRange, path))
        })
        .transpose()
}
