//! Session tokens of one instance and one user, with anything about them changed, signed by a
//! test's own key or by the emulator's.

use super::{TestEmulator, now_seconds};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use std::sync::Arc;

/// The origin for which tokens are made.
pub const PARTY: &str = "https://app.example.com";

type Sign = Box<dyn Fn(&Value, &Value) -> String>;

pub struct SessionTokens {
    issuer: String,
    key_id: String,
    pub subject: String,
    sign: Sign,
}

impl SessionTokens {
    pub fn own(signer: &Signer, issuer: &str, subject: &str) -> Self {
        let signer = signer.clone();
        let sign = Box::new(move |header: &Value, claims: &Value| signer.sign(header, claims));
        Self { issuer: issuer.into(), key_id: "ins_own".into(), subject: subject.into(), sign }
    }

    pub fn of(emulator: &TestEmulator, subject: &str) -> Self {
        let credentials = emulator.credentials();
        let (issuer, key_id) = (credentials.issuer.clone(), credentials.instance_id.clone());
        let emulator = emulator.clone();
        let sign = Box::new(move |header: &Value, claims: &Value| {
            emulator.sign_token(header.clone(), claims.clone())
        });
        Self { issuer, key_id, subject: subject.into(), sign }
    }

    pub fn header(&self) -> Value {
        json!({"alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": self.key_id, "typ": "JWT"})
    }

    pub fn claims(&self) -> Value {
        let now = now_seconds();
        json!({
            "iss": self.issuer, "azp": PARTY, "sub": self.subject, "sid": "sess_1", "sts": "active",
            "exp": now + 60, "iat": now, "nbf": now - 10, "v": 2, "jti": "x", "fva": [1, -1],
        })
    }

    pub fn good(&self) -> String {
        self.sign(&self.header(), &self.claims())
    }

    pub fn with(&self, name: &str, value: impl Into<Value>) -> String {
        let mut claims = self.claims();
        claims[name] = value.into();
        self.sign(&self.header(), &claims)
    }

    pub fn without(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name);
        self.sign(&self.header(), &claims)
    }

    pub fn headed(&self, name: &str, value: impl Into<Value>) -> String {
        let mut header = self.header();
        header[name] = value.into();
        self.sign(&header, &self.claims())
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        (self.sign)(header, claims)
    }
}

#[derive(Clone)]
pub struct Signer {
    pair: Arc<KeyPair>,
    encoding: EncodingKey,
}

impl Signer {
    pub fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = armoured("PRIVATE KEY", der.as_ref());
        let encoding = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        Self { pair: Arc::new(pair), encoding }
    }

    pub fn public_pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().unwrap();
        armoured("PUBLIC KEY", der.as_ref())
    }

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
