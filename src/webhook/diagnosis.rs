//! Why a signature does not match: was the same JSON written differently on the way?
//!
//! Called by [`super::verify`] once no secret fits. The provider signs compact JSON, so
//! where the signature fits a compact spelling of what arrived, somebody in between parsed
//! the body and wrote it anew. The answer only explains; such a delivery is refused.

use bytes::Bytes;

/// Larger bodies are not diagnosed: a refused request should stay cheap.
const LARGEST_DIAGNOSED_BYTES: usize = 64 * 1024;

/// Other ways to write the JSON in `body`: without white space around tokens, and that with
/// `<`, `>` and `&` escaped, as some encoders write them.
pub(super) fn other_spellings(body: &Bytes) -> impl Iterator<Item = Vec<u8>> {
    let diagnosed = body.len() <= LARGEST_DIAGNOSED_BYTES;
    let compact = if diagnosed { compact(body) } else { Vec::new() };
    let escaped = escape_markup(&compact);
    [compact, escaped].into_iter().filter(move |_| diagnosed)
}

/// `json` without white space outside of strings.
fn compact(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for &byte in json {
        if in_string || !byte.is_ascii_whitespace() {
            out.push(byte);
        }
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
    }
    out
}

/// `json` with `<`, `>` and `&` written as `\u003c`, `\u003e` and `\u0026`. They stand only
/// inside strings, so no state is needed.
fn escape_markup(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    for &byte in json {
        match byte {
            b'<' => out.extend_from_slice(b"\\u003c"),
            b'>' => out.extend_from_slice(b"\\u003e"),
            b'&' => out.extend_from_slice(b"\\u0026"),
            other => out.push(other),
        }
    }
    out
}
