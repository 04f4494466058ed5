//! One public key from a setting, in PEM form.
//!
//! Called by configuration, and by [`super::jwks`] for the keys of a set. Pure. No key passes that
//! is weaker than RSA with 2048 bits.

use aws_lc_rs::signature::RsaSubjectPublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jsonwebtoken::DecodingKey;

#[derive(Clone, Debug)]
pub struct PublicKey(DecodingKey);

impl PublicKey {
    /// Reads a key in PEM form as settings have it; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let der = decode_pem(text)?;
        let key = RsaSubjectPublicKey::from_der(&der).map_err(
            |_| "is no RSA public key: copy the PEM public key from the dashboard's page of API keys",
        )?;
        let modulus = key.modulus().big_endian_without_leading_zero().to_vec();
        let exponent = key.exponent().big_endian_without_leading_zero().to_vec();
        Self::from_components(&modulus, &exponent).ok_or(
            "is an RSA key of fewer than 2048 or more than 8192 bits: use the provider's own",
        )
    }

    pub(super) fn from_components(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
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

/// The bytes of a public key in PEM form: quoted, on one line, or without its first and last line.
/// The error says what the text is instead.
fn decode_pem(text: &str) -> Result<Vec<u8>, &'static str> {
    if text.contains("PRIVATE KEY") {
        return Err("is a private key, which belongs nowhere near here: copy the PEM public key");
    }
    if text.contains("BEGIN CERTIFICATE") {
        return Err("is a certificate: copy the PEM public key from the dashboard");
    }
    if text.trim_start().starts_with("pk_") || text.trim_start().starts_with("sk_") {
        return Err("is an API key: copy the PEM public key from the dashboard");
    }
    // Env files have line breaks as two characters, and quotes that were left around the value.
    let unescaped = text.replace("\\r", "").replace("\\n", "\n");
    let unquoted = unescaped.trim().trim_matches(['"', '\'']);
    let encoded: String = unquoted
        .split("-----")
        .filter(|piece| !piece.starts_with("BEGIN ") && !piece.starts_with("END "))
        .flat_map(str::chars)
        .filter(|character| !character.is_whitespace())
        .collect();
    if encoded.is_empty() {
        return Err("is empty: copy the PEM public key from the dashboard's page of API keys");
    }
    STANDARD_NO_PAD
        .decode(encoded.trim_end_matches('='))
        .map_err(|_| "is not a key in PEM form: copy it whole, from BEGIN PUBLIC KEY to its end")
}
