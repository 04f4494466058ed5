//! RSA keys and tokens that the tests of sessions sign with them.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(super) struct Signer {
    pub(super) key_id: &'static str,
    pair: KeyPair,
    pub(super) encoding: EncodingKey,
}

static OWN: LazyLock<Signer> = LazyLock::new(|| Signer::new("ins_own"));
static NEXT: LazyLock<Signer> = LazyLock::new(|| Signer::new("ins_next"));

impl Signer {
    fn new(key_id: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let encoding =
            EncodingKey::from_rsa_pem(armoured("PRIVATE KEY", der.as_ref()).as_bytes()).unwrap();
        Self { key_id, pair, encoding }
    }

    pub(super) fn own() -> &'static Self {
        &OWN
    }

    /// The key after a rotation.
    pub(super) fn next() -> &'static Self {
        &NEXT
    }

    pub(super) fn public_pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().unwrap();
        armoured("PUBLIC KEY", der.as_ref())
    }

    pub(super) fn jwk(&self) -> String {
        let key = self.pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "use": "sig", "kty": "RSA", "alg": "RS256", "kid": self.key_id,
            "n": number(key.modulus().big_endian_without_leading_zero()),
            "e": number(key.exponent().big_endian_without_leading_zero()),
        })
        .to_string()
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        self.sign(&header.to_string(), &claims.to_string())
    }

    /// A genuine signature over a header and claims as they stand.
    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding, Algorithm::RS256);
        format!("{message}.{}", signature.unwrap())
    }
}

/// The usual claims, with some replaced; `null` takes a claim away.
pub(super) fn claims(replaced: &[(&str, Value)]) -> Value {
    let mut claims = json!({
        "iss": super::ISSUER, "azp": super::PARTY, "sub": "user_1", "sid": "sess_1",
        "exp": super::NOW_SECONDS + 60, "iat": super::NOW_SECONDS,
        "nbf": super::NOW_SECONDS - 10, "v": 2, "sts": "active", "fva": [1, -1],
        "jti": "x", "aud": "https://elsewhere.example", "fea": "u:x", "metadata": {"a": null},
    });
    let map = claims.as_object_mut().unwrap();
    for (name, value) in replaced {
        if value.is_null() {
            map.remove(*name);
        } else {
            map.insert((*name).to_owned(), value.clone());
        }
    }
    claims
}

pub(super) fn part(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

fn armoured(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}
