//! Explains a signature that does not match: was the body re-encoded on its way?
//!
//! Called by [`super::verify`] once no secret fits. The provider signs compact JSON with sorted
//! keys, so where a signature fits such a spelling of the body, or what the body wraps, something
//! between re-wrote it. Only compression is told by the first two bytes alone, whoever sent them. Such
//! a delivery is still refused: the sender learns no more than that.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write as _;

/// Larger bodies are not diagnosed: refusing a request should stay cheap. A body has at most
/// twelve other forms, and most have three.
const LARGEST_DIAGNOSED_BYTES: usize = 16 * 1024;

const REWRITTEN: &str =
    "a proxy or framework parsed the JSON and wrote it anew; pass the raw bytes through";
const BASE64: &str = "it is base64 of what was signed; decode it before it is passed on";
const WRAPPED: &str = "it stands inside another document, or is a JSON string; pass on that inner body alone, decoded if it is base64";
const COMPRESSED: &str = "it is compressed (gzip), which no signed body is; pass it on as it came";

const GZIP: &[u8] = &[0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What serverless functions get, and some pass on.
#[derive(Deserialize)]
struct Envelope {
    body: String,
}

/// What happened to the body, and what to change; `None` if that cannot be told. `is_signed` says
/// whether other bytes would have been genuine.
pub(super) fn explain(body: &Bytes, is_signed: impl Fn(&[u8]) -> bool) -> Option<&'static str> {
    if body.starts_with(GZIP) {
        return Some(COMPRESSED);
    }
    if body.len() > LARGEST_DIAGNOSED_BYTES {
        return None;
    }
    if decode(body).is_some_and(|decoded| is_signed(&decoded)) {
        return Some(BASE64);
    }
    let is_inner =
        |inner: &[u8]| is_signed(inner) || decode(inner).is_some_and(|decoded| is_signed(&decoded));
    if inner(body).is_some_and(|inner| is_inner(inner.as_bytes())) {
        return Some(WRAPPED);
    }
    is_rewritten(body, is_signed).then_some(REWRITTEN)
}

fn decode(body: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(body.trim_ascii()).ok()
}

fn inner(body: &[u8]) -> Option<String> {
    let envelope = serde_json::from_slice(body).map(|envelope: Envelope| envelope.body);
    envelope.or_else(|_| serde_json::from_slice(body)).ok()
}

/// Whether any spelling of the JSON was signed: its strings as they are or with as few escapes as
/// can be, its keys in this order or sorted; and each with more characters escaped.
fn is_rewritten(body: &[u8], is_signed: impl Fn(&[u8]) -> bool) -> bool {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let kept = compact(body, <[u8]>::to_vec);
    let plain = compact(body, |string| unescape(string).unwrap_or_else(|| string.to_vec()));
    let sorted = serde_json::from_slice(body).map(|value: Value| value.to_string().into_bytes());
    let mut bases: Vec<Vec<u8>> = [kept, plain].into_iter().chain(sorted.ok()).collect();
    bases.dedup();
    bases.into_iter().any(|base| {
        let text = std::str::from_utf8(&base).unwrap_or_default();
        let escapes: [fn(char) -> bool; 2] = [is_markup, |character| !character.is_ascii()];
        let mut escapes = escapes.into_iter().filter(|is_escaped| text.contains(*is_escaped));
        is_signed(&base) || escapes.any(|is_escaped| is_signed(escape(text, is_escaped).as_bytes()))
    })
}

/// The JSON without white space between its parts, each string as `respell` has it.
fn compact(json: &[u8], respell: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'"' {
            let (string, tail) = rest.split_at(string_length(rest));
            out.extend(respell(string));
            rest = tail;
        } else {
            out.extend((!byte.is_ascii_whitespace()).then_some(byte));
            rest = tail;
        }
    }
    out
}

/// With both quotes.
fn string_length(json: &[u8]) -> usize {
    let mut escaped = false;
    let ends = |byte: &u8| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    };
    json.iter().skip(1).position(ends).map_or(json.len(), |position| position + 2)
}

fn unescape(string: &[u8]) -> Option<Vec<u8>> {
    let text: String = serde_json::from_slice(string).ok()?;
    serde_json::to_vec(&text).ok()
}

/// What Go escapes, so that JSON can stand in HTML and in JavaScript.
fn is_markup(character: char) -> bool {
    matches!(character, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

/// Such characters stand only inside strings, so no state is needed.
fn escape(json: &str, is_escaped: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if is_escaped(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                write!(out, "\\u{unit:04x}").ok();
            }
        } else {
            out.push(character);
        }
    }
    out
}
