//! Session tokens of one instance and one user, with anything about them changed: signed by a
//! test's own key, or by the emulator's.

use super::{Signer, now_seconds};
use clerk_emulator::Emulator;
use serde_json::{Value, json};

/// The origin for which tokens are made.
pub const PARTY: &str = "https://app.example.com";

type Sign<'a> = Box<dyn Fn(&Value, &Value) -> String + 'a>;

pub struct Mint<'a> {
    issuer: String,
    key_id: String,
    pub subject: String,
    sign: Sign<'a>,
}

impl<'a> Mint<'a> {
    /// Tokens of an issuer that a test's own key signs.
    pub fn own(signer: &'a Signer, issuer: &str, subject: &str) -> Self {
        let sign = Box::new(|header: &Value, claims: &Value| signer.sign(header, claims));
        Self { issuer: issuer.into(), key_id: "ins_own".into(), subject: subject.into(), sign }
    }

    /// Tokens that the emulator's key signs.
    pub fn of(emulator: &'a Emulator, subject: &str) -> Self {
        let credentials = emulator.credentials();
        let (issuer, key_id) = (credentials.issuer.clone(), credentials.instance_id.clone());
        let sign = Box::new(|header: &Value, claims: &Value| {
            emulator.sign_token(header.clone(), claims.clone())
        });
        Self { issuer, key_id, subject: subject.into(), sign }
    }

    /// The usual header.
    pub fn header(&self) -> Value {
        json!({"alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": self.key_id, "typ": "JWT"})
    }

    /// The usual claims, as of now.
    pub fn claims(&self) -> Value {
        let now = now_seconds();
        json!({
            "iss": self.issuer, "azp": PARTY, "sub": self.subject, "sid": "sess_1", "sts": "active",
            "exp": now + 60, "iat": now, "nbf": now - 10, "v": 2, "jti": "x", "fva": [1, -1],
        })
    }

    /// A token that passes.
    pub fn good(&self) -> String {
        self.sign(&self.header(), &self.claims())
    }

    /// A token with a claim changed or added.
    pub fn with(&self, name: &str, value: impl Into<Value>) -> String {
        let mut claims = self.claims();
        claims[name] = value.into();
        self.sign(&self.header(), &claims)
    }

    /// A token without a claim.
    pub fn without(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name);
        self.sign(&self.header(), &claims)
    }

    /// A token with a field of its header changed or added.
    pub fn headed(&self, name: &str, value: impl Into<Value>) -> String {
        let mut header = self.header();
        header[name] = value.into();
        self.sign(&header, &self.claims())
    }

    /// A token of any header and claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        (self.sign)(header, claims)
    }
}
