//! Tokens that passed lately, so that a page with twenty requests costs one signature.
//!
//! Called by [`super::Sessions`]. Holds digests, never tokens, and only of tokens that
//! passed. What it returns has to be asked for its times again: an entry may outlive its
//! token, since this cache has a clock of its own.

use super::claims::VerifiedSession;
use crate::domain::UnixMillis;
use moka::Expiry;
use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many tokens are known at most.
const MOST_TOKENS: u64 = 10_000;

/// How long an entry is kept at most: the life of a usual token, so that a key which the
/// provider withdrew does not live on here in a token of long life.
const LONGEST_TIME_TO_LIVE: Duration = Duration::from_secs(60);

/// The SHA-256 digest of a token.
pub(super) type TokenDigest = [u8; 32];

/// The digest by which a token is known.
pub(super) fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

/// Sessions by the digest of their token.
#[derive(Debug)]
pub(super) struct TokenCache(Cache<TokenDigest, CachedSession>);

#[derive(Clone, Debug)]
struct CachedSession {
    verified: Arc<VerifiedSession>,
    time_to_live: Duration,
}

struct SessionExpiry;

impl Expiry<TokenDigest, CachedSession> for SessionExpiry {
    fn expire_after_create(
        &self,
        _token: &TokenDigest,
        entry: &CachedSession,
        _created_at: Instant,
    ) -> Option<Duration> {
        Some(entry.time_to_live)
    }
}

impl TokenCache {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(MOST_TOKENS).expire_after(SessionExpiry).build())
    }

    pub(super) async fn get(&self, token: &TokenDigest) -> Option<Arc<VerifiedSession>> {
        self.0.get(token).await.map(|entry| entry.verified)
    }

    pub(super) async fn insert(
        &self,
        token: TokenDigest,
        verified: Arc<VerifiedSession>,
        now: UnixMillis,
    ) {
        let left = u64::try_from(verified.milliseconds_left(now)).unwrap_or(0);
        let time_to_live = Duration::from_millis(left).min(LONGEST_TIME_TO_LIVE);
        self.0.insert(token, CachedSession { verified, time_to_live }).await;
    }
}
