//! Session tokens: who is behind a request, by the provider's signature.
//!
//! Called by the handlers that check a session, once a request, and by configuration, which builds
//! the settings. It may not touch the database: a valid session says nothing about the user's row.
//! A token passes through these files in order:
//!
//! 1. [`cookie`]: where a request carries it;
//! 2. [`token_cache`]: tokens that passed lately;
//! 3. [`token`]: its parts, its header and its signature; the only file that makes signed claims;
//! 4. [`claims`]: whether they are of an active session of this instance, now.
//!
//! The key comes from a setting ([`public_key`]) or from the provider ([`jwks`]).
//! [`publishable_key`] names the instance, [`error`] holds the reasons to refuse.

mod claims;
mod cookie;
mod error;
mod jwks;
mod public_key;
mod publishable_key;
mod token;
mod token_cache;

pub use error::{SessionError, TokenError};
pub use public_key::PublicKey;
pub use publishable_key::PublishableKey;

use crate::domain::UnixMillis;
use claims::ClaimPolicy;
use cookie::CookieNames;
use jwks::JwksClient;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Instant;
use token::UnverifiedToken;
use token_cache::TokenCache;
use url::Url;

/// How session tokens are checked.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Where the keys come from.
    pub keys: KeySource,
    /// What `iss` must be, exactly.
    pub issuer: String,
    /// The origins that `azp` may be, exactly; empty accepts any.
    pub authorized_parties: Vec<String>,
    /// What the name of this instance's session cookie ends with.
    pub cookie_suffix: Option<String>,
}

/// Where the keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// One key, for every token.
    Pem(PublicKey),
    /// The provider's set.
    Jwks(JwksAddress),
}

/// Where the provider's key set is.
#[derive(Clone, Debug)]
pub struct JwksAddress {
    /// The address itself.
    pub url: Url,
    /// What is sent as a bearer along with it, where the Backend API serves the set.
    pub secret_key: Option<SecretString>,
}

/// A session whose token passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The provider's id of the user.
    pub external_id: String,
    /// The provider's id of the session.
    pub session_id: String,
    /// When the token ends, in seconds since 1970.
    pub expires_at_seconds: i64,
    /// When the token was issued, likewise.
    pub issued_at_seconds: Option<i64>,
    /// Who acts as this user, if somebody else does.
    pub impersonated_by: Option<String>,
    /// The plan of the user's own scope, where the token names one.
    pub plan_claim: Option<String>,
}

/// Checks session tokens; one for all requests.
#[derive(Debug)]
pub struct Sessions {
    keys: Keys,
    policy: ClaimPolicy,
    cookies: CookieNames,
    cache: TokenCache,
}

#[derive(Debug)]
enum Keys {
    Fixed(PublicKey),
    Jwks(Arc<JwksClient>),
}

impl Sessions {
    /// Prepares to check; keys of an address are fetched when the first token needs one.
    pub fn new(settings: SessionSettings) -> Self {
        let keys = match settings.keys {
            KeySource::Pem(key) => Keys::Fixed(key),
            KeySource::Jwks(address) => Keys::Jwks(Arc::new(JwksClient::new(address))),
        };
        Self {
            keys,
            policy: ClaimPolicy { issuer: settings.issuer, parties: settings.authorized_parties },
            cookies: CookieNames::new(settings.cookie_suffix.as_deref()),
            cache: TokenCache::new(),
        }
    }

    /// The token of a request: from `Authorization: Bearer`, else, only where cookies are
    /// allowed (on `GET` and `HEAD`: what changes something must not follow from a link on
    /// another page), from this instance's cookie, else from the plain one.
    pub fn token_of<'a>(
        &self,
        authorization: Option<&'a [u8]>,
        cookie_headers: impl Iterator<Item = &'a [u8]>,
        cookies_allowed: bool,
    ) -> Option<String> {
        let from_cookies =
            || if cookies_allowed { self.cookies.find(cookie_headers) } else { None };
        authorization.and_then(cookie::bearer).or_else(from_cookies)
    }

    /// The session of a token, if the token counts at `now`.
    pub async fn verify(&self, token: &str, now: UnixMillis) -> Result<Session, SessionError> {
        self.verify_at(token, now, Instant::now()).await
    }

    /// `requested_at` is the same instant on the clock that is never set: fetches are spaced
    /// by it.
    async fn verify_at(
        &self,
        text: &str,
        now: UnixMillis,
        requested_at: Instant,
    ) -> Result<Session, SessionError> {
        token::check_size(text)?;
        let digest = token_cache::digest(text);
        if let Some(verified) = self.cache.get(&digest).await {
            verified.check_times(now)?;
            return Ok(verified.session.clone());
        }
        let token = UnverifiedToken::read(text)?;
        let key = self.key(token.key_id(), requested_at).await?;
        let verified = Arc::new(self.policy.check(&token.signed_by(&key)?, now)?);
        self.cache.insert(digest, Arc::clone(&verified), now).await;
        Ok(verified.session.clone())
    }

    async fn key(
        &self,
        key_id: Option<&str>,
        requested_at: Instant,
    ) -> Result<PublicKey, SessionError> {
        let jwks = match &self.keys {
            Keys::Fixed(key) => return Ok(key.clone()),
            Keys::Jwks(jwks) => jwks,
        };
        // A token that names no key cannot be helped by any set.
        let key_id = key_id.ok_or(TokenError::KeyUnknown)?;
        jwks.key(key_id, requested_at).await
    }
}

#[cfg(test)]
mod tests;
