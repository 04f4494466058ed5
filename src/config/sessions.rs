//! Variables of session tokens: issuer, keys, authorized parties. Called by
//! [`super::Config::load`].

use super::loader::Loader;
use super::provider::{AN_ORIGIN, origin};
use crate::provider::clerk::session::{
    JwksAddress, KeySource, PublicKey, PublishableKey, SessionSettings,
};
use crate::provider::clerk::test_keys;
use crate::provider::http::{is_loopback, is_safe};
use secrecy::SecretString;
use url::Url;

impl Loader<'_> {
    /// `None` if no key is configured.
    pub(super) fn sessions(&mut self) -> Option<SessionSettings> {
        let before = self.problem_count();
        let publishable = self.publishable_key();
        self.refuse_emulators_sessions(publishable.as_ref());
        let keys = self.key_source(publishable.as_ref());
        let issuer = self.issuer(publishable.as_ref());
        let authorized_parties = self.authorized_parties();
        if self.problem_count() > before {
            return None;
        }
        let problem = match (keys, issuer) {
            (Some(keys), Some(issuer)) => {
                let cookie_suffix = publishable.map(|key| key.cookie_suffix());
                return Some(SessionSettings { keys, issuer, authorized_parties, cookie_suffix });
            }
            (None, None) => return None,
            (Some(_), None) => {
                "is not set, and neither is CLERK_PUBLISHABLE_KEY, which gives it; without a known issuer no session token can be accepted"
            }
            (None, Some(_)) => {
                "is set, but no key to check session tokens with: set CLERK_PUBLISHABLE_KEY, CLERK_JWT_KEY or CLERK_JWKS_URL"
            }
        };
        self.problem("CLERK_ISSUER", problem);
        None
    }

    /// The emulator's private key is public, so anyone could sign in as any user.
    fn refuse_emulators_sessions(&mut self, publishable: Option<&PublishableKey>) {
        let issuer = self.text("CLERK_ISSUER").unwrap_or_default();
        let names = [
            ("CLERK_PUBLISHABLE_KEY", publishable.is_some_and(PublishableKey::is_emulator)),
            ("CLERK_ISSUER", issuer.trim_end_matches('/') == test_keys::ISSUER),
        ];
        for (name, _) in names.into_iter().filter(|(_, is_emulators)| *is_emulators) {
            if !is_loopback(&self.api_address()) {
                self.emulators(name);
            }
        }
    }

    fn publishable_key(&mut self) -> Option<PublishableKey> {
        let names = ["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"];
        let (name, text) = names.into_iter().find_map(|name| Some((name, self.text(name)?)))?;
        self.accept(name, PublishableKey::parse(&text))
    }

    /// In order of precedence: a PEM, a configured address, the publishable key's address.
    fn key_source(&mut self, publishable: Option<&PublishableKey>) -> Option<KeySource> {
        if let Some(pem) = self.text("CLERK_JWT_KEY") {
            if self.jwks_address().is_some() {
                self.warn("CLERK_JWKS_URL is not used, because CLERK_JWT_KEY is set; remove it");
            }
            return self.accept("CLERK_JWT_KEY", PublicKey::parse(&pem)).map(KeySource::Pem);
        }
        if let Some(url) = self.jwks_address() {
            // The Backend API gives its keys only to clients with the secret key.
            let is_api = url.origin() == self.api_address().origin();
            let secret_key = self.text("CLERK_SECRET_KEY").filter(|_| is_api);
            let secret_key = secret_key.map(SecretString::from);
            return Some(KeySource::Jwks(JwksAddress { url, secret_key }));
        }
        let publishable = publishable?;
        if publishable.is_emulator() {
            return self.emulators_keys();
        }
        let url = Url::parse(&publishable.jwks_url()).ok()?;
        Some(KeySource::Jwks(JwksAddress { url, secret_key: None }))
    }

    fn jwks_address(&mut self) -> Option<Url> {
        let problem = "is no URL with https (http only on a loopback address), as in `https://clerk.example.com/.well-known/jwks.json`";
        self.parse("CLERK_JWKS_URL", |text| Url::parse(text).ok().filter(is_safe), problem)
    }

    /// The emulator serves its keys at its API, not at a frontend host.
    fn emulators_keys(&mut self) -> Option<KeySource> {
        let mut url = self.api_address();
        url.path_segments_mut().ok()?.pop_if_empty().extend(["v1", "jwks"]);
        let secret_key = self.text("CLERK_SECRET_KEY").map(SecretString::from);
        Some(KeySource::Jwks(JwksAddress { url, secret_key }))
    }

    fn issuer(&mut self, publishable: Option<&PublishableKey>) -> Option<String> {
        let Some(text) = self.text("CLERK_ISSUER") else {
            return publishable.map(PublishableKey::issuer);
        };
        // Tokens name it without a trailing slash.
        let issuer = text.trim_end_matches('/');
        if !Url::parse(issuer).is_ok_and(|url| is_safe(&url)) {
            self.problem("CLERK_ISSUER", "is no URL with https, as in `https://clerk.example.com`");
        }
        Some(issuer.to_owned())
    }

    fn authorized_parties(&mut self) -> Vec<String> {
        let parties = self.list("CLERK_AUTHORIZED_PARTIES");
        if parties.iter().any(|party| origin(party).is_none()) {
            self.problem("CLERK_AUTHORIZED_PARTIES", AN_ORIGIN);
        }
        parties
    }
}
