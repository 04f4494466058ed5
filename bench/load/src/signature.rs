//! Svix's signature: HMAC-SHA256 over `{id}.{timestamp}.{body}`, base64, with a `v1,` in front.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Holds the keyed state, so that a signature costs no key schedule.
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    /// Reads a `whsec_…` secret. The message of a bad one does not repeat it.
    pub(crate) fn new(secret: &str) -> Result<Self, String> {
        let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
        let key = STANDARD
            .decode(encoded)
            .map_err(|_| "the signing secret is not base64 after whsec_".to_owned())?;
        if key.is_empty() {
            return Err("the signing secret is empty".to_owned());
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|error| error.to_string())
    }

    pub(crate) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(id.as_bytes());
        mac.update(format!(".{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reproduces_the_vector_of_the_svix_libraries() {
        let signer = Signer::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            signer.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    #[test]
    fn refuses_a_secret_that_is_not_one() {
        assert!(Signer::new("whsec_").is_err());
        assert!(Signer::new("whsec_not base64").is_err());
    }
}
