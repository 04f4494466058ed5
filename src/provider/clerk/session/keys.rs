//! The provider's public keys: one from a setting, or a set from its address.
//!
//! Called by configuration ([`PublicKey::parse`]) and by `jwks` ([`KeySet::read`]). Pure. No
//! key passes that is weaker than RSA with 2048 bits.

use super::pem;
use super::token::LONGEST_KEY_ID_BYTES;
use crate::provider::json::object;
use aws_lc_rs::signature::RsaSubjectPublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// A key that can check RS256 signatures.
#[derive(Clone, Debug)]
pub struct PublicKey(DecodingKey);

impl PublicKey {
    /// Reads a key in PEM form as settings hold it, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let der = pem::decode(text)?;
        let key = RsaSubjectPublicKey::from_der(&der).map_err(
            |_| "is no RSA public key: copy the PEM public key from the dashboard's page of API keys",
        )?;
        let modulus = key.modulus().big_endian_without_leading_zero().to_vec();
        let exponent = key.exponent().big_endian_without_leading_zero().to_vec();
        Self::from_components(&modulus, &exponent).ok_or(
            "is an RSA key of fewer than 2048 or more than 8192 bits: use the provider's own",
        )
    }

    /// The key of a modulus and an exponent, if it is strong enough.
    fn from_components(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let strong = match modulus.len() {
            256 => modulus.first().is_some_and(|byte| *byte >= 0x80),
            length => (257..=1024).contains(&length),
        };
        let sound = exponent.last().is_some_and(|byte| byte % 2 == 1) && exponent != [1];
        let key = || Self(DecodingKey::from_rsa_raw_components(modulus, exponent));
        (strong && sound).then(key)
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.0
    }
}

/// Some writers put zeros before a number so that it cannot look negative.
fn without_zeros(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}

/// The keys of an instance, by the name under which tokens ask for them.
#[derive(Clone, Debug)]
pub(super) struct KeySet(HashMap<String, PublicKey>);

/// A document that holds no key that could be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no key set with an RSA key for RS256 in it")]
pub(super) struct NoUsableKeys;

impl KeySet {
    /// Reads a key set. Keys of other kinds and broken entries are skipped; of two keys of
    /// one name the first counts.
    pub(super) fn read(document: &[u8]) -> Result<Self, NoUsableKeys> {
        let document: JwksDocument<'_> = object(document).ok_or(NoUsableKeys)?;
        let mut keys = HashMap::new();
        for raw in document.keys {
            let entry: Option<Jwk> = object(raw.get().as_bytes());
            if let Some((name, key)) = entry.and_then(Jwk::key) {
                keys.entry(name).or_insert(key);
            }
        }
        if keys.is_empty() { Err(NoUsableKeys) } else { Ok(Self(keys)) }
    }

    pub(super) fn find(&self, key_id: &str) -> Option<&PublicKey> {
        self.0.get(key_id)
    }
}

#[derive(Deserialize)]
struct JwksDocument<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    n: String,
    e: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
}

impl Jwk {
    fn key(self) -> Option<(String, PublicKey)> {
        let fits = self.kty == "RSA"
            && self.purpose.is_none_or(|purpose| purpose == "sig")
            && self.alg.is_none_or(|algorithm| algorithm == "RS256")
            && self.kid.len() <= LONGEST_KEY_ID_BYTES;
        if !fits {
            return None;
        }
        let number = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let key = PublicKey::from_components(&number(&self.n)?, &number(&self.e)?)?;
        Some((self.kid, key))
    }
}
