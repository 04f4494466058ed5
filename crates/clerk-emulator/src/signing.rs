//! The signature of deliveries, after the Standard Webhooks specification.
//!
//! Called by `credentials` and `deliveries`, and by load generators that sign events of their own.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[derive(Clone)]
pub struct SigningSecret(Vec<u8>);

impl SigningSecret {
    /// Reads `whsec_` and standard base64 with padding.
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.strip_prefix("whsec_")?).ok().map(Self)
    }

    /// The value of the signature header: HMAC-SHA256 over `{id}.{timestamp}.{body}`.
    pub fn signature(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, &self.0));
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        format!("v1,{}", STANDARD.encode(context.sign()))
    }

    /// Whether the key's bytes contain these.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        self.0.windows(bytes.len().max(1)).any(|window| window == bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::SigningSecret;

    #[test]
    fn the_vector_of_the_svix_libraries_is_reproduced() {
        let secret = SigningSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            secret.signature("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553", body),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
        assert!(SigningSecret::parse("whsec_not base64").is_none());
    }
}
