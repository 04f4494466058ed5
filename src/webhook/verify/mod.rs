//! Verifies the signature of a delivery.
//!
//! Called by the webhook handler, after the headers are checked. Pure. Everything that processes a
//! delivery takes a [`Verified`], which only this file can make.

use super::diagnosis;
use super::headers::SignedHeaders;
use super::{Rejection, SigningSecret, SigningSecrets};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use subtle::ConstantTimeEq as _;

/// A rotation sends two; the sender's own limit of old keys is ten.
const MOST_SIGNATURES: usize = 16;

/// A delivery whose signature matched.
#[derive(Clone, Debug)]
pub struct Verified {
    message_id: String,
    body: Bytes,
}

impl Verified {
    /// The same for every attempt and replay.
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// A delivery that was verified when it arrived, and was stored since.
    pub(crate) fn from_quarantine(message_id: String, body: Bytes) -> Self {
        Self { message_id, body }
    }
}

/// Accepts a delivery of which any `v1` signature was made with any active secret over exactly
/// these bytes (trap 1: never over re-written JSON).
pub fn verify(
    headers: SignedHeaders,
    body: Bytes,
    secrets: &SigningSecrets,
) -> Result<Verified, Rejection> {
    let candidates = candidates(&headers.signatures);
    // No body is worth the work where nothing could match.
    if candidates.is_empty() {
        return Err(Rejection::BadSignature);
    }
    let signed = |code: [u8; 32]| candidates.iter().any(|known| bool::from(known.ct_eq(&code)));
    let code = |secret: &SigningSecret| secret.code(&headers.id, &headers.timestamp, &body);
    if secrets.active.iter().any(|secret| signed(code(secret))) {
        return Ok(Verified { message_id: headers.id, body });
    }
    if secrets.inactive.iter().any(|secret| signed(code(secret))) {
        return Err(Rejection::InactiveSecret);
    }
    let explanation = diagnosis::explain(&body, |other| {
        let code = |secret: &SigningSecret| secret.code(&headers.id, &headers.timestamp, other);
        secrets.active.iter().any(|secret| signed(code(secret)))
    });
    Err(explanation.map_or(Rejection::BadSignature, Rejection::BodyReencoded))
}

/// The first `v1` signatures; entries of other versions and malformed ones are skipped (trap 3).
/// Gateways join headers that came twice with commas, so a comma may stand between entries too.
fn candidates(signatures: &str) -> Vec<[u8; 32]> {
    let between = |character: char| character == ',' || character.is_ascii_whitespace();
    let words: Vec<&str> = signatures.split(between).filter(|word| !word.is_empty()).collect();
    let encoded = words.windows(2).filter_map(|pair| match pair {
        ["v1", encoded] => Some(*encoded),
        _ => None,
    });
    encoded
        .take(MOST_SIGNATURES)
        .filter_map(|encoded| STANDARD.decode(encoded).ok()?.try_into().ok())
        .collect()
}

#[cfg(test)]
mod tests;
