//! A session token, from its text to claims that are known to be signed.
//!
//! Called by [`super::Sessions`]. Pure. The header chooses the key and nothing else: not the
//! algorithm, which is fixed, nor an address or a key (`jku`, `x5u`, `jwk` and `x5c` are not read).
//! Claims leave this file only as [`SignedClaims`], which only a matching signature makes.

use super::{PublicKey, SessionError};
use crate::provider::json::{object, typed};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Four times what a cookie can hold.
const LONGEST_TOKEN_BYTES: usize = 16 * 1024;

/// The provider's key ids have about 30 bytes.
pub(super) const LONGEST_KEY_ID_BYTES: usize = 256;

/// The header's category of session tokens. Older tokens have none.
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";

/// A token that is well formed and has the header of a session token.
#[derive(Debug)]
pub(super) struct UnverifiedToken<'a> {
    pub(super) key_id: Option<String>,
    message: &'a str,
    signature: &'a str,
    claims: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct SignedClaims(Vec<u8>);

impl SignedClaims {
    pub(super) fn claims(&self) -> &[u8] {
        &self.0
    }
}

pub(super) fn check_size(text: &str) -> Result<(), SessionError> {
    match text.len() {
        0 => Err(SessionError::SessionMissing),
        1..=LONGEST_TOKEN_BYTES => Ok(()),
        _ => Err(SessionError::TokenMalformed),
    }
}

impl<'a> UnverifiedToken<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, SessionError> {
        let (message, signature) = text.rsplit_once('.').ok_or(SessionError::TokenMalformed)?;
        let (header, claims) = message.split_once('.').ok_or(SessionError::TokenMalformed)?;
        let header = decode(header)?;
        let header: Header<'_> = object(&header).ok_or(SessionError::TokenMalformed)?;
        let (claims, _) = (decode(claims)?, decode(signature)?);
        Ok(Self { key_id: header.check()?, message, signature, claims })
    }

    pub(super) fn signed_by(self, key: &PublicKey) -> Result<SignedClaims, SessionError> {
        let matches = jsonwebtoken::crypto::verify(
            self.signature,
            self.message.as_bytes(),
            key.decoding(),
            // Trap 39: fixed, whatever the header says.
            Algorithm::RS256,
        );
        if matches.unwrap_or(false) {
            Ok(SignedClaims(self.claims))
        } else {
            Err(SessionError::TokenSignature)
        }
    }
}

/// Base64url without padding, in its canonical form. A further dot is an invalid character, so that a
/// token has three parts.
fn decode(part: &str) -> Result<Vec<u8>, SessionError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| SessionError::TokenMalformed)
}

/// Other fields are ignored: the provider may add some.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    alg: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    typ: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    cat: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    kid: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    crit: Option<&'a RawValue>,
}

impl Header<'_> {
    fn check(&self) -> Result<Option<String>, SessionError> {
        let text = |field, fault| typed::<String, _>(field, fault);
        // Trap 39: `none`, and HS256 with the public key as its secret, end here.
        if text(self.alg, SessionError::TokenAlgorithm)?.as_deref() != Some("RS256") {
            return Err(SessionError::TokenAlgorithm);
        }
        // RFC 7515: a reader that knows none of the critical extensions must refuse.
        if self.crit.is_some() {
            return Err(SessionError::TokenMalformed);
        }
        match text(self.typ, SessionError::TokenType)?.as_deref() {
            None | Some("JWT") => {}
            Some("at+jwt") => return Err(SessionError::TokenCategory),
            Some(_) => return Err(SessionError::TokenType),
        }
        // Trap 39: tokens of JWT templates are signed with the same key, and outlive the session.
        match text(self.cat, SessionError::TokenCategory)?.as_deref() {
            None | Some(SESSION_CATEGORY) => {}
            Some(_) => return Err(SessionError::TokenCategory),
        }
        let key_id = text(self.kid, SessionError::TokenMalformed)?;
        if key_id.as_ref().is_some_and(|id| id.len() > LONGEST_KEY_ID_BYTES) {
            return Err(SessionError::TokenKeyUnknown);
        }
        Ok(key_id)
    }
}

/// For `deserialize_with`: a field that is there is `Some`, even as `null`. The provider writes the
/// header itself, so that `null` is a value, and can be refused.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}
