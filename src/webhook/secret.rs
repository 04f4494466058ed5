//! Signing secrets, which the provider and this service share.
//!
//! Read by `config`; used to verify deliveries, and by `send` to sign them. A secret is never
//! printed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;

const PREFIX: &str = "whsec_";

/// A key, and its HMAC state, which is cloned for each delivery.
pub struct SigningSecret {
    key: SecretBox<[u8]>,
    keyed: Hmac<Sha256>,
}

/// Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    #[error(
        "is an API key (`sk_…`); the signing secret starts with `whsec_` and stands on the endpoint's page of the provider's dashboard"
    )]
    ApiKey,
    #[error("does not start with `whsec_`; copy the endpoint's signing secret whole")]
    NoPrefix,
    #[error(
        "is not valid base64 after `whsec_`; copy the endpoint's signing secret whole, without quotes or line breaks"
    )]
    NotBase64,
    #[error("is too short after `whsec_`; copy the endpoint's signing secret whole")]
    TooShort,
}

/// The specification asks for 24 bytes; 16 leaves room without accepting an empty key.
const SHORTEST_KEY_BYTES: usize = 16;

impl SigningSecret {
    /// Reads `whsec_` and base64 (trap 2: no URL-safe alphabet, no bare text, no `sk_…`).
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        if text.starts_with("sk_") {
            return Err(InvalidSecret::ApiKey);
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret::NoPrefix)?;
        let key = STANDARD.decode(encoded).map_err(|_| InvalidSecret::NotBase64)?;
        if key.len() < SHORTEST_KEY_BYTES {
            return Err(InvalidSecret::TooShort);
        }
        let keyed = Hmac::new_from_slice(&key).map_err(|_| InvalidSecret::TooShort)?;
        Ok(Self { key: key.into_boxed_slice().into(), keyed })
    }

    /// The HMAC-SHA256 over `{id}.{timestamp}.{body}`.
    pub fn code(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The value of the signature header.
    pub fn signature(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(self.code(id, timestamp, body)))
    }

    /// Whether the key contains these bytes.
    pub fn contains(&self, bytes: &[u8]) -> bool {
        self.key.expose_secret().windows(bytes.len().max(1)).any(|window| window == bytes)
    }

    fn same_key(&self, other: &Self) -> bool {
        self.key.expose_secret() == other.key.expose_secret()
    }
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningSecret([redacted])")
    }
}

#[derive(Debug, Default)]
pub struct SigningSecrets {
    /// Any of these verifies a delivery; several while one is rotated.
    pub active: Vec<SigningSecret>,
    /// Configured, but replaced by another variable: a delivery signed with one is refused, with a
    /// message that says so.
    pub inactive: Vec<SigningSecret>,
}

impl SigningSecrets {
    /// Leaves out those of `replaced` that are active.
    pub fn new(active: Vec<SigningSecret>, replaced: Vec<SigningSecret>) -> Self {
        let unknown = |secret: &SigningSecret| !active.iter().any(|active| active.same_key(secret));
        let inactive = replaced.into_iter().filter(unknown).collect();
        Self { active, inactive }
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidSecret, SigningSecret};

    #[test]
    fn trap_2_a_secret_that_is_no_signing_secret_is_refused_with_the_reason() {
        let refused = |text: &str| SigningSecret::parse(text).err();
        assert_eq!(refused(""), Some(InvalidSecret::NoPrefix));
        assert_eq!(refused("whsec_"), Some(InvalidSecret::TooShort));
        assert_eq!(refused("sk_test_abcdefghijklmnopqrstuv"), Some(InvalidSecret::ApiKey));
        assert_eq!(
            refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-"),
            Some(InvalidSecret::NotBase64)
        );
        assert_eq!(
            refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"),
            Some(InvalidSecret::NotBase64)
        );
        assert_eq!(
            refused("\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\""),
            Some(InvalidSecret::NoPrefix)
        );
        assert_eq!(refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), None);
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret([redacted])");
    }
}
