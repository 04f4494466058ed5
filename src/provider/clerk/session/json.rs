//! JSON of a token, read without leniency.
//!
//! Called by `token` and `claims`. A key that we read and that is named twice refuses the whole
//! (parsers differ in which one counts), and an array never stands for an object. `null` equals absent
//! in claims, which the provider fills from whatever a user has; a header it writes itself,
//! and there `null` is a value ([`present`]), so that it can be refused.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

/// The object in `bytes`; `None` for anything else.
pub(super) fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    // A derived reader would take an array as the fields in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

/// For `deserialize_with`: a field that is there, even as `null`, is `Some`.
pub(super) fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The value of a field if it is there; `fault` if it is of another type.
pub(super) fn typed<T: DeserializeOwned, F>(
    field: Option<&RawValue>,
    fault: F,
) -> Result<Option<T>, F> {
    let Some(raw) = field else {
        return Ok(None);
    };
    serde_json::from_str(raw.get()).map(Some).map_err(|_| fault)
}

/// A count of seconds: an integer, or a float without a fraction (trap 39: 32 bits end in
/// 2038, and no number may make us fall over).
pub(super) fn seconds<F: Copy>(field: Option<&RawValue>, fault: F) -> Result<Option<i64>, F> {
    let Some(number) = typed::<serde_json::Number, F>(field, fault)? else {
        return Ok(None);
    };
    if let Some(integer) = number.as_i64() {
        return Ok(Some(integer));
    }
    let whole = number.as_f64().filter(|float| float.fract() == 0.0).ok_or(fault)?;
    // By way of text, since no conversion in the language refuses what does not fit.
    format!("{whole:.0}").parse().map(Some).map_err(|_| fault)
}

#[cfg(test)]
mod tests {
    use super::seconds;
    use serde_json::value::RawValue;

    #[test]
    fn trap_39_seconds_are_64_bits_wide_and_never_a_fraction() {
        let read = |text: &str| {
            seconds(Some(&*RawValue::from_string(text.to_owned()).unwrap()), "no").ok().flatten()
        };
        assert_eq!(read("1666648310"), Some(1_666_648_310));
        assert_eq!(read("1666648310.0"), Some(1_666_648_310));
        assert_eq!(read("1.66664831e9"), Some(1_666_648_310));
        assert_eq!(read("4102444800"), Some(4_102_444_800));
        assert_eq!(read("-0.0"), Some(0));
        assert_eq!(read("9223372036854775807"), Some(i64::MAX));
        for text in ["1.5", "1e300", "-1e300", "9223372036854775808", "\"1\"", "null", "true", "[]"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(seconds(None, "no"), Ok(None));
    }
}
