//! JSON of a provider, read without the leniency of derived readers.
//!
//! Called by the provider's folder for payloads, tokens and key sets. Pure. A derived reader would
//! also take an array as the fields of a struct in their order, and no integer that an encoder wrote
//! as `7.0`.

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;

/// The object in `bytes`; `None` for anything else.
pub(super) fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok().map(|Object(object)| object)
}

/// The value of a field that may be absent.
pub(super) fn field<T: DeserializeOwned>(raw: Option<&RawValue>) -> serde_json::Result<Option<T>> {
    raw.map(|raw| serde_json::from_str(raw.get())).transpose()
}

/// The same, with `error` for a value of another type.
pub(super) fn typed<T: DeserializeOwned, E>(
    raw: Option<&RawValue>,
    error: E,
) -> Result<Option<T>, E> {
    field(raw).map_err(|_| error)
}

/// A `T` written as a JSON object.
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

/// A whole number, also where an encoder wrote it with a fraction of zero. It is wider than any
/// number that we store, so that a larger one is out of range instead of another number.
#[derive(Clone, Copy)]
pub(super) struct Integer(i128);

impl Integer {
    pub(super) fn to_i64(self) -> Option<i64> {
        i64::try_from(self.0).ok()
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Integer;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Integer, E> {
                Ok(Integer(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Integer, E> {
                Ok(Integer(number.into()))
            }

            #[expect(
                clippy::as_conversions,
                clippy::cast_possible_truncation,
                reason = "a float beyond i128 saturates, and is then out of range"
            )]
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Integer, E> {
                if number.fract() == 0.0 {
                    Ok(Integer(number as i128))
                } else {
                    Err(E::invalid_value(Unexpected::Float(number), &self))
                }
            }
        }
        deserializer.deserialize_any(Whole)
    }
}

#[cfg(test)]
mod tests {
    use super::Integer;

    #[test]
    fn trap_39_integers_are_64_bits_wide_and_never_a_fraction() {
        let read = |text| serde_json::from_str::<Integer>(text).ok().and_then(Integer::to_i64);
        for (text, number) in [
            ("1666648310", 1_666_648_310),
            ("1666648310.0", 1_666_648_310),
            ("1.66664831e9", 1_666_648_310),
            ("4102444800", 4_102_444_800),
            ("-0.0", 0),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(read(text), Some(number), "{text}");
        }
        for text in ["1.5", "1e300", "-1e300", "9223372036854775808", "\"1\"", "null", "true", "[]"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
