//! The publishable key, which names an application's instance.
//!
//! Called by configuration. Pure. The key is public; the issuer, the address of the keys and the
//! suffix of the cookies follow from it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

const SUFFIX_CHARACTERS: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishableKey {
    text: String,
    host: String,
}

impl PublishableKey {
    /// Reads `pk_test_…` or `pk_live_…`; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.starts_with("sk_") {
            return Err(
                "is a secret key, which belongs in CLERK_SECRET_KEY; this one starts with `pk_live_` or `pk_test_`",
            );
        }
        let encoded = text
            .strip_prefix("pk_test_")
            .or_else(|| text.strip_prefix("pk_live_"))
            .ok_or("does not start with `pk_live_` or `pk_test_`: copy the publishable key")?;
        let host = host(encoded)
            .ok_or("names no host after its prefix: copy the publishable key whole")?;
        Ok(Self { text: text.to_owned(), host })
    }

    /// Of the instance's frontend API.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The `iss` of the instance's tokens.
    pub fn issuer(&self) -> String {
        format!("https://{}", self.host)
    }

    pub fn jwks_url(&self) -> String {
        format!("https://{}/.well-known/jwks.json", self.host)
    }

    /// The end of the names of the instance's cookies: SHA-1, by the provider's choice.
    pub fn cookie_suffix(&self) -> String {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, self.text.as_bytes());
        URL_SAFE_NO_PAD.encode(digest).chars().take(SUFFIX_CHARACTERS).collect()
    }

    /// The emulator's private keys are no secret.
    pub fn is_emulator(&self) -> bool {
        self.issuer() == crate::provider::clerk::test_keys::ISSUER
    }
}

/// Decodes `<host>$` from base64.
fn host(encoded: &str) -> Option<String> {
    let decoded = STANDARD_NO_PAD.decode(encoded.trim_end_matches('=')).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let host = text.strip_suffix('$')?.to_ascii_lowercase();
    let label = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(known)
    };
    (host.contains('.') && host.split('.').all(label)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::PublishableKey;

    fn key(text: &str) -> PublishableKey {
        PublishableKey::parse(text).unwrap()
    }

    #[test]
    fn published_keys_name_their_host() {
        let inspired = key("pk_test_Y2xlcmsuaW5zcGlyZWQucHVtYS03NC5sY2wuZGV2JA");
        assert_eq!(inspired.host(), "clerk.inspired.puma-74.lcl.dev");
        assert_eq!(inspired.issuer(), "https://clerk.inspired.puma-74.lcl.dev");
        assert_eq!(
            inspired.jwks_url(),
            "https://clerk.inspired.puma-74.lcl.dev/.well-known/jwks.json"
        );
        assert!(!inspired.is_emulator());
        assert_eq!(key("pk_test_ZXhhbXBsZS5hY2NvdW50cy5kZXYk").host(), "example.accounts.dev");
    }

    #[test]
    fn published_keys_have_their_cookie_suffix() {
        assert_eq!(key("pk_live_Y2xlcmsuY2xlcmsuZGV2JA").cookie_suffix(), "1Z8AzTQD");
        assert_eq!(key("pk_test_Y2xlcmsuY2xlcmsuZGV2JA").cookie_suffix(), "QvfNY2dr");
    }

    #[test]
    fn the_emulators_key_is_recognised() {
        // base64 of `usersync-emulator.localhost$`
        assert!(key("pk_test_dXNlcnN5bmMtZW11bGF0b3IubG9jYWxob3N0JA").is_emulator());
    }

    #[test]
    fn what_is_no_publishable_key_is_refused_with_what_to_do() {
        for (text, expected) in [
            ("", "does not start"),
            ("sk_test_Y2xlcmsuY2xlcmsuZGV2JA", "secret key"),
            ("pk_prod_Y2xlcmsuY2xlcmsuZGV2JA", "does not start"),
            ("pk_test_", "names no host"),
            ("pk_test_Y2xlcmsuY2xlcmsuZGV2", "names no host"), // no `$`
            ("pk_test_Y2xlcmsuY2xlcmsuZGV2JCQ", "names no host"), // `$$`
            ("pk_test_bG9jYWxob3N0JA", "names no host"),       // no dot
            ("pk_test_YS5iL2Mk", "names no host"),             // `a.b/c$`
            ("pk_test_YUBiLmMk", "names no host"),             // `a@b.c$`
            ("pk_test_Y2xlcmsuY2xlcmsuZGV2JA_x", "names no host"),
        ] {
            let fault = PublishableKey::parse(text).unwrap_err();
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(pk_(test|live)_)?.*") {
            let _ = PublishableKey::parse(&text);
        }
    }
}
