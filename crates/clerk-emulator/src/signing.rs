//! The secret that deliveries are signed with, after the Standard Webhooks specification.
//!
//! Made by `credentials`, used by `deliveries`.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(crate) struct SigningSecret(Vec<u8>);

impl SigningSecret {
    /// Reads `whsec_` and standard base64 with padding.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.strip_prefix("whsec_")?).ok().map(Self)
    }

    /// The signature header: HMAC-SHA256 over `{id}.{timestamp}.{body}`.
    pub(crate) fn signature(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, &self.0));
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        format!("v1,{}", STANDARD.encode(context.sign()))
    }

    /// Whether the key's bytes hold these.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        self.0.windows(bytes.len().max(1)).any(|window| window == bytes)
    }
}
