//! Session tokens: verifies which user a request comes from, by the provider's signature.
//!
//! Called by the handlers that check a session, once a request, and by configuration, which builds
//! the settings. It may not touch the database: a valid session says nothing about the user's row.
//! A token passes through these files in order:
//!
//! 1. [`cookie`]: where a request carries it;
//! 2. [`token`]: its parts, its header and its signature; the only file that makes signed claims;
//! 3. [`claims`]: whether they are of an active session of this instance, now.
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

pub use error::SessionError;
pub use public_key::PublicKey;
pub use publishable_key::PublishableKey;

use crate::domain::Timestamp;
use claims::{ClaimPolicy, VerifiedSession};
use cookie::CookieNames;
use jwks::JwksClient;
use moka::future::Cache;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};
use token::UnverifiedToken;
use url::Url;

const MOST_CACHED_TOKENS: u64 = 10_000;

/// The life of a usual token, so that a key that the provider withdrew does not stay in use here for
/// a token with a longer life.
const CACHED_FOR: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct SessionSettings {
    pub keys: KeySource,
    /// Compared exactly with `iss`.
    pub issuer: String,
    /// The origins that `azp` is compared with, exactly; empty accepts any.
    pub authorized_parties: Vec<String>,
    /// The end of the name of this instance's session cookie.
    pub cookie_suffix: Option<String>,
}

#[derive(Clone, Debug)]
pub enum KeySource {
    /// One key, for every token.
    Pem(PublicKey),
    Jwks(JwksAddress),
}

#[derive(Clone, Debug)]
pub struct JwksAddress {
    pub url: Url,
    /// Sent as a bearer, where the Backend API serves the set.
    pub secret_key: Option<SecretString>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub external_id: String,
    pub session_id: String,
    /// The token's, since 1970.
    pub expires_at_seconds: i64,
    pub issued_at_seconds: Option<i64>,
    pub impersonated_by: Option<String>,
    /// Of the user's own scope, where the token names one.
    pub plan_claim: Option<String>,
}

#[derive(Debug)]
pub struct Sessions {
    keys: Keys,
    policy: ClaimPolicy,
    cookies: CookieNames,
    /// Sessions of tokens that were verified lately, by the SHA-256 of the token, so that a page with
    /// twenty requests costs one signature. Their times are checked again.
    cache: Cache<[u8; 32], Arc<VerifiedSession>>,
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
            cache: Cache::builder()
                .max_capacity(MOST_CACHED_TOKENS)
                .time_to_live(CACHED_FOR)
                .build(),
        }
    }

    /// The token of a request: from `Authorization: Bearer`, else from this instance's cookie, else
    /// from the plain one. Cookies count on `GET` and `HEAD` only: a link elsewhere must not change
    /// anything.
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

    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Session, SessionError> {
        self.verify_at(token, now, Instant::now()).await
    }

    /// `requested_at` is the same instant on the monotonic clock, by which fetches are spaced.
    async fn verify_at(
        &self,
        text: &str,
        now: Timestamp,
        requested_at: Instant,
    ) -> Result<Session, SessionError> {
        token::check_size(text)?;
        let digest: [u8; 32] = Sha256::digest(text).into();
        if let Some(verified) = self.cache.get(&digest).await {
            verified.check_times(now)?;
            return Ok(verified.session.clone());
        }
        let token = UnverifiedToken::read(text)?;
        let key = self.key(token.key_id.as_deref(), requested_at).await?;
        let verified = Arc::new(self.policy.check(&token.signed_by(&key)?, now)?);
        self.cache.insert(digest, Arc::clone(&verified)).await;
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
        // No set has a key for a token without a key id.
        let key_id = key_id.ok_or(SessionError::TokenKeyUnknown)?;
        jwks.key(key_id, requested_at).await
    }
}

#[cfg(test)]
mod tests;
