//! The shapes of Clerk's JSON, as loose as real payloads are.
//!
//! Only what we map is declared (trap 17: nothing is denied, no enum is closed, everything
//! but the id may be absent, and `null` equals absent). A value of another JSON type in a
//! field that we map is a [`PayloadError`] with the path of that field, never with its value.

use crate::domain::{QuarantineReason, UnixMillis};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;

/// Why a body cannot be understood, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PayloadError {
    pub(super) reason: QuarantineReason,
    /// Where in the JSON, as in `data.email_addresses[1].email_address`.
    pub(super) path: Option<String>,
}

impl PayloadError {
    pub(super) fn at(reason: QuarantineReason, path: &str) -> Self {
        Self { reason, path: Some(path.to_owned()) }
    }
}

/// The envelope, its fields unread: whether they are looked at depends on the type.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    instance_id: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, PayloadError> {
        match serde_json::from_slice::<Object<Self>>(body) {
            Ok(Object(envelope)) => Ok(envelope),
            Err(_) => Err(PayloadError { reason: QuarantineReason::InvalidJson, path: None }),
        }
    }

    pub(super) fn event_type(&self) -> Result<String, PayloadError> {
        let event_type: Option<String> = field(self.event_type, "type")?;
        event_type.ok_or_else(|| PayloadError::at(QuarantineReason::MissingField, "type"))
    }

    pub(super) fn instance(&self) -> Result<Option<String>, PayloadError> {
        Ok(crate::domain::text::clean(field(self.instance_id, "instance_id")?))
    }

    /// The envelope's time; its unit differs between documents and reality (trap 15).
    pub(super) fn timestamp(&self) -> Result<Option<UnixMillis>, PayloadError> {
        let Some(Integer(number)) = field(self.timestamp, "timestamp")? else {
            return Ok(None);
        };
        UnixMillis::from_seconds_or_millis(number)
            .map(Some)
            .ok_or_else(|| PayloadError::at(QuarantineReason::OutOfRange, "timestamp"))
    }

    /// Reads `data`, which must be an object with an id.
    pub(super) fn data<T: Deserialize<'a>>(&self) -> Result<T, PayloadError> {
        whole(self.data.ok_or_else(|| PayloadError::at(QuarantineReason::MissingField, "data.id"))?)
    }
}

/// Reads a whole object, as it stands in an event's `data` or in an answer of the API.
pub(super) fn whole<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, PayloadError> {
    match serde_json::from_str::<Object<T>>(raw.get()) {
        Ok(Object(whole)) => Ok(whole),
        Err(_) => Err(locate::<T>(raw)),
    }
}

fn field<T: DeserializeOwned>(
    raw: Option<&RawValue>,
    path: &str,
) -> Result<Option<T>, PayloadError> {
    raw.map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(|_| PayloadError::at(QuarantineReason::WrongType, path))
}

/// Reads once more, slower, to learn where the shape is wrong.
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

/// Milliseconds of a time field, checked.
pub(super) fn instant(
    number: Option<Integer>,
    path: &str,
) -> Result<Option<UnixMillis>, PayloadError> {
    number
        .map(|Integer(number)| {
            UnixMillis::new(number)
                .ok_or_else(|| PayloadError::at(QuarantineReason::OutOfRange, path))
        })
        .transpose()
}

/// A `T` written as a JSON object. Derived code alone would also take an array, and read
/// its items as fields in order.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMaps<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMaps<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(OnlyMaps(PhantomData))
    }
}

/// A whole number, also where an encoder wrote it with a fraction of zero.
#[derive(Clone, Copy)]
pub(super) struct Integer(pub(super) i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Integer;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Integer, E> {
                Ok(Integer(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Integer, E> {
                Ok(Integer(i64::try_from(number).unwrap_or(i64::MAX)))
            }

            #[expect(
                clippy::as_conversions,
                clippy::cast_possible_truncation,
                reason = "a float beyond i64 saturates, and is then out of range"
            )]
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Integer, E> {
                if number.fract() == 0.0 {
                    Ok(Integer(number as i64))
                } else {
                    Err(E::invalid_value(Unexpected::Float(number), &self))
                }
            }
        }
        deserializer.deserialize_any(Whole)
    }
}

/// Reads an object of any keys; anything else is a [`PayloadError`].
pub(super) fn object(
    raw: &RawValue,
    path: &str,
) -> Result<serde_json::Map<String, serde_json::Value>, PayloadError> {
    serde_json::from_str(raw.get()).map_err(|_| PayloadError::at(QuarantineReason::WrongType, path))
}
