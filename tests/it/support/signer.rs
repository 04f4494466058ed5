//! A key pair of a test's own, and tokens that it signs by any algorithm.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

pub struct Signer {
    pair: KeyPair,
    encoding: EncodingKey,
}

impl Signer {
    pub fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = armoured("PRIVATE KEY", der.as_ref());
        Self { pair, encoding: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap() }
    }

    /// The public key as settings hold it.
    pub fn public_pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().unwrap();
        armoured("PUBLIC KEY", der.as_ref())
    }

    /// The public key as a set lists it.
    pub fn jwk(&self, key_id: &str) -> Value {
        let key = self.pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "use": "sig", "kty": "RSA", "alg": "RS256", "kid": key_id,
            "n": number(key.modulus().big_endian_without_leading_zero()),
            "e": number(key.exponent().big_endian_without_leading_zero()),
        })
    }

    /// A token, signed as RS256 whatever its header says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_by(Algorithm::RS256, header, claims)
    }

    /// A token, signed by this algorithm whatever its header says.
    pub fn sign_by(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        sign(algorithm, &self.encoding, header, claims)
    }

    /// A token of HS256 whose secret is a public key.
    pub fn sign_with_secret(secret: &str, header: &Value, claims: &Value) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        sign(Algorithm::HS256, &key, header, claims)
    }
}

fn sign(algorithm: Algorithm, key: &EncodingKey, header: &Value, claims: &Value) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm);
    format!("{message}.{}", signature.unwrap())
}

fn armoured(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let lines = encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap());
    let lines: Vec<&str> = lines.collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
