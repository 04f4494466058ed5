//! Reads a provider's JSON into structs and integers.
//!
//! Called by the provider's folder for payloads, tokens and key sets. Pure. Serde's derive also
//! accepts an array for a struct, and refuses `7.0` for an integer; both are wrong here.

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Number;
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;

/// The object in `bytes`; `None` for anything else.
pub(super) fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok().map(|Object(object)| object)
}

/// The value of a field that may be absent; `error` is for a value of another type.
pub(super) fn typed<T: DeserializeOwned, E>(
    raw: Option<&RawValue>,
    error: E,
) -> Result<Option<T>, E> {
    raw.map(|raw| serde_json::from_str(raw.get())).transpose().map_err(|_| error)
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

/// A whole number, also where an encoder wrote it with a fraction of zero; one that has more than 64
/// bits is known to be out of range.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Number")]
pub(super) struct Integer(Option<i64>);

impl Integer {
    pub(super) const fn to_i64(self) -> Option<i64> {
        self.0
    }
}

impl TryFrom<Number> for Integer {
    type Error = &'static str;

    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "a float beyond i128 saturates, and is then out of range"
    )]
    fn try_from(number: Number) -> Result<Self, Self::Error> {
        match (number.as_i64(), number.as_f64()) {
            (None, Some(float)) if float.fract() == 0.0 => {
                Ok(Self((float as i128).try_into().ok()))
            }
            (None, _) => Err("not a whole number"),
            (integer, _) => Ok(Self(integer)),
        }
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
