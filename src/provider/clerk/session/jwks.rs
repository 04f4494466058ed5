//! The provider's key set: fetched over HTTP, parsed, and kept in memory.
//!
//! Called by [`super::Sessions`] for each token that the token cache does not hold. However many
//! requests wait for a key, one fetch is under way; how often there is one is bounded, because
//! clients choose the key ids of their tokens (trap 41).

use super::token::LONGEST_KEY_ID_BYTES;
use super::{JwksAddress, PublicKey, SessionError};
use crate::provider::http::{BodyError, client_for, innermost_cause, read_body};
use crate::provider::json::object;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedMutexGuard;

/// Time for a whole fetch: a user waits for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// Enough for hundreds of keys; the provider lists one or two.
const LARGEST_SET_BYTES: usize = 256 * 1024;

const FRESH_FOR: Duration = Duration::from_secs(5 * 60);

/// Time between two fetches for a key that the set lacks, or after a refresh that failed.
const BETWEEN_MISSES: Duration = Duration::from_secs(30);

/// Time between two fetches while no set was ever loaded.
const BETWEEN_RETRIES: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct JwksClient {
    address: JwksAddress,
    client: Result<Client, String>,
    cache: Mutex<JwksCache>,
    /// Locked by the one fetch that is under way.
    flight: Arc<tokio::sync::Mutex<()>>,
}

impl JwksClient {
    pub(super) fn new(address: JwksAddress) -> Self {
        let client = client_for(&address.url)
            .timeout(FETCH_TIMEOUT)
            // A fetch is rare, and a kept connection belongs to the thread that opened it.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| {
                format!("this machine cannot make requests: {}", innermost_cause(&error))
            });
        Self { address, client, cache: Mutex::default(), flight: Arc::default() }
    }

    /// The key of an id. `now` is the instant of the request, by which fetches are spaced.
    pub(super) async fn key(
        self: &Arc<Self>,
        key_id: &str,
        now: Instant,
    ) -> Result<PublicKey, SessionError> {
        let (reason, fetches) = {
            let cache = self.cache();
            (cache.reason_to_fetch(key_id, now), cache.fetches)
        };
        if let Some(reason) = reason {
            let flight = Arc::clone(&self.flight).lock_owned().await;
            // A request that waited here for another's fetch takes what that one brought.
            if self.cache().fetches == fetches {
                let jwks = Arc::clone(self);
                // A task of its own: a client that disconnects must not cancel the fetch for which
                // other requests wait. Should the task be lost, the cache answers as before.
                tokio::spawn(async move { jwks.load(reason, now, flight).await }).await.ok();
            }
        }
        self.cache().key(key_id)
    }

    async fn load(&self, reason: FetchReason, requested_at: Instant, _flight: OwnedMutexGuard<()>) {
        let started_at = Instant::now();
        let outcome = self.fetch().await;
        // Counted from the caller's instant: the clock is the caller's.
        let ended_at = requested_at.checked_add(started_at.elapsed()).unwrap_or(requested_at);
        if let Err(error) = &outcome {
            tracing::warn!(
                host = self.address.url.host_str(),
                "the provider's session keys could not be loaded, known ones stay in use: {error}"
            );
        }
        self.cache().record(outcome.ok(), reason, ended_at);
    }

    /// The error is for the log.
    async fn fetch(&self) -> Result<KeySet, String> {
        let failed = |error| format!("the request failed: {}", innermost_cause(&error));
        let client = self.client.as_ref().map_err(String::clone)?;
        let mut request = client.get(self.address.url.clone()).header("accept", "application/json");
        if let Some(key) = &self.address.secret_key {
            request = request.bearer_auth(key.expose_secret());
        }
        let mut answer = request.send().await.map_err(failed)?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the answer was status {}", answer.status()));
        }
        let (body, end) = read_body(&mut answer, LARGEST_SET_BYTES).await;
        end.map_err(|end| match end {
            BodyError::Broken(error) => failed(error),
            BodyError::TooLarge(_) => end.to_string(),
        })?;
        let missing = "the answer is no key set with an RSA key for RS256 in it";
        read_keys(&body).ok_or_else(|| missing.to_owned())
    }

    fn cache(&self) -> MutexGuard<'_, JwksCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FetchReason {
    /// No set is loaded, or it is older than [`FRESH_FOR`].
    Age,
    UnknownKey,
}

/// The last set that could be loaded. Pure: instants are arguments.
#[derive(Debug, Default)]
struct JwksCache {
    set: Option<KeySet>,
    loaded_at: Option<Instant>,
    failed_at: Option<Instant>,
    missed_at: Option<Instant>,
    /// How many fetches have ended: a request that waited sees by it that one has.
    fetches: u64,
}

impl JwksCache {
    /// Why the set is to be fetched before a key is looked up; `None` where it is not.
    fn reason_to_fetch(&self, key_id: &str, now: Instant) -> Option<FetchReason> {
        let within = |instant: Option<Instant>, span: Duration| {
            instant.is_some_and(|instant| now.saturating_duration_since(instant) < span)
        };
        let Some(set) = &self.set else {
            return (!within(self.failed_at, BETWEEN_RETRIES)).then_some(FetchReason::Age);
        };
        if !within(self.loaded_at, FRESH_FOR) && !within(self.failed_at, BETWEEN_MISSES) {
            return Some(FetchReason::Age);
        }
        let is_unknown = !set.contains_key(key_id);
        (is_unknown && !within(self.missed_at, BETWEEN_MISSES)).then_some(FetchReason::UnknownKey)
    }

    /// The key, however old the set is.
    fn key(&self, key_id: &str) -> Result<PublicKey, SessionError> {
        let set = self.set.as_ref().ok_or(SessionError::KeysUnavailable)?;
        Ok(set.get(key_id).ok_or(SessionError::TokenKeyUnknown)?.clone())
    }

    /// Takes the result of a fetch; one that failed leaves the old set in use.
    fn record(&mut self, loaded: Option<KeySet>, reason: FetchReason, at: Instant) {
        self.fetches = self.fetches.wrapping_add(1);
        if reason == FetchReason::UnknownKey {
            self.missed_at = Some(at);
        }
        if let Some(set) = loaded {
            (self.set, self.loaded_at, self.failed_at) = (Some(set), Some(at), None);
        } else {
            self.failed_at = Some(at);
        }
    }
}

/// The keys of an instance by their ids.
type KeySet = HashMap<String, PublicKey>;

/// Reads a key set; `None` where it holds no key that can be used. Keys of other kinds and broken
/// entries are skipped; of two keys with one id the first counts.
pub(super) fn read_keys(document: &[u8]) -> Option<KeySet> {
    let document: JwksDocument<'_> = object(document)?;
    let mut keys = KeySet::new();
    for raw in document.keys {
        let jwk: Option<Jwk> = object(raw.get().as_bytes());
        if let Some((id, key)) = jwk.and_then(Jwk::key) {
            keys.entry(id).or_insert(key);
        }
    }
    (!keys.is_empty()).then_some(keys)
}

#[derive(Deserialize)]
struct JwksDocument<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    n: String,
    e: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
}

impl Jwk {
    fn key(self) -> Option<(String, PublicKey)> {
        let fits = self.kty == "RSA"
            && self.purpose.is_none_or(|purpose| purpose == "sig")
            && self.alg.is_none_or(|algorithm| algorithm == "RS256")
            && self.kid.len() <= LONGEST_KEY_ID_BYTES;
        if !fits {
            return None;
        }
        let number = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let key = PublicKey::from_components(&number(&self.n)?, &number(&self.e)?)?;
        Some((self.kid, key))
    }
}
