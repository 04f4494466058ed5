//! Explains a signature that does not match: was the body re-encoded on its way?
//!
//! Called by [`super::verify`] once no secret fits. The provider signs compact JSON, so where a
//! signature fits a compact spelling of the body, a proxy or framework parsed and re-wrote it. Such
//! a delivery is still refused.

use bytes::Bytes;

/// Larger bodies are not diagnosed: refusing a request should stay cheap.
const LARGEST_DIAGNOSED_BYTES: usize = 64 * 1024;

/// Other spellings of the JSON in `body`: without white space, and that with `<`, `>` and `&`
/// escaped, as some encoders do.
pub(super) fn other_spellings(body: &Bytes) -> impl Iterator<Item = Vec<u8>> {
    let diagnosed = body.len() <= LARGEST_DIAGNOSED_BYTES;
    let compact = if diagnosed { compact(body) } else { Vec::new() };
    let escaped = escape_markup(&compact);
    [compact, escaped].into_iter().filter(move |_| diagnosed)
}

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

/// `<`, `>` and `&` stand only inside strings, so no state is needed.
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
