//! The instance's RSA key pair, which signs session tokens.
//!
//! Made at the start or read from the state file; called by `sessions`, the JWKS route and
//! `state_file`.

use crate::EmulatorError;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const PEM_LINE_CHARACTERS: usize = 64;

/// 2048 bits.
pub(crate) struct Key {
    pair: KeyPair,
    public_pem: String,
}

impl Key {
    /// A random one, which does not depend on the seed.
    pub(crate) fn generate() -> Result<Self, EmulatorError> {
        KeyPair::generate(KeySize::Rsa2048).map_err(unusable).and_then(Self::of)
    }

    /// Reads what [`Self::to_text`] wrote.
    pub(crate) fn from_text(text: &str) -> Result<Self, EmulatorError> {
        let der = STANDARD.decode(text).map_err(unusable)?;
        KeyPair::from_pkcs8(&der).map_err(unusable).and_then(Self::of)
    }

    fn of(pair: KeyPair) -> Result<Self, EmulatorError> {
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(unusable)?;
        let public_pem = pem(der.as_ref());
        Ok(Self { pair, public_pem })
    }

    /// The private key, as base64 of PKCS #8.
    pub(crate) fn to_text(&self) -> Result<String, EmulatorError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(unusable)?;
        Ok(STANDARD.encode(der.as_ref()))
    }

    pub(crate) fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The JWKS document with the public key.
    pub(crate) fn key_set(&self, id: &str) -> Value {
        let public = self.pair.public_key();
        let text = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        json!({"keys": [{
            "use": "sig", "kty": "RSA", "kid": id, "alg": "RS256",
            "n": text(public.modulus().big_endian_without_leading_zero()),
            "e": text(public.exponent().big_endian_without_leading_zero()),
        }]})
    }

    /// A token of any header and claims, signed as RS256 whatever the header says.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        let result = self.pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature);
        if result.is_err() {
            // Every verifier refuses an empty signature.
            signature.clear();
        }
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn unusable(error: impl std::fmt::Display) -> EmulatorError {
    EmulatorError::Keys(error.to_string())
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(PEM_LINE_CHARACTERS);
    let lines: Vec<&str> = lines.filter_map(|line| str::from_utf8(line).ok()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}
