//! Session tokens: verifies which user a request comes from, by the provider's signature.
//!
//! Called by the handlers that check a session, once a request, and by configuration, which builds
//! the settings. It may not touch the database: a valid session says nothing about the user's row.
//! A token passes [`cookie`], [`token`] (the only file that makes signed claims) and [`claims`] in
//! this order; its key comes from a setting ([`public_key`]) or from the provider ([`jwks`]).

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
    own_cookie: Option<String>,
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
            own_cookie: settings.cookie_suffix.as_deref().map(cookie::own_name),
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
        let find = || cookie::find(self.own_cookie.as_deref(), cookie_headers);
        authorization.and_then(cookie::bearer).or_else(|| cookies_allowed.then(find).flatten())
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
        let key = match &self.keys {
            Keys::Fixed(key) => key.clone(),
            Keys::Jwks(jwks) => {
                // No set has a key for a token without a key id.
                let key_id = token.key_id.as_deref().ok_or(SessionError::TokenKeyUnknown)?;
                jwks.key(key_id, requested_at).await?
            }
        };
        let verified = Arc::new(self.policy.check(&token.signed_by(&key)?, now)?);
        self.cache.insert(digest, Arc::clone(&verified)).await;
        Ok(verified.session.clone())
    }
}

#[cfg(test)]
mod tests;
