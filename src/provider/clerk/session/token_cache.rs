//! Sessions of tokens that were verified lately, so that a page with twenty requests costs one
//! signature.
//!
//! Called by [`super::Sessions`]. It stores digests, never tokens, and only of verified ones. The
//! caller checks the times again: an entry may outlive its token, since this cache has a clock of its
//! own.

use super::claims::VerifiedSession;
use crate::domain::UnixMillis;
use moka::Expiry;
use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MAX_TOKENS: u64 = 10_000;

/// The life of a usual token, so that a key that the provider withdrew does not stay in use here for
/// a token with a longer life.
const LONGEST_TIME_TO_LIVE: Duration = Duration::from_secs(60);

/// SHA-256 of a token.
pub(super) type TokenDigest = [u8; 32];

pub(super) fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

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
        Self(Cache::builder().max_capacity(MAX_TOKENS).expire_after(SessionExpiry).build())
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
