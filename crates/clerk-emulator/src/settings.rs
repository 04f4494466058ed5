//! The settings that an emulator starts with, and the credentials that it gives out.
//!
//! Filled in by programs and tests; read once at the start.

use crate::deliveries::Retries;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

/// The default instance id.
pub const INSTANCE: &str = "ins_usersyncEmulator000000000000";

/// Every key of an emulator contains this, so that none can be taken for a real one.
pub const MARK: &str = "usersync_emulator";

/// The issuer of an emulator's session tokens.
pub const ISSUER: &str = "https://usersync-emulator.localhost";

#[derive(Clone, Debug)]
pub struct Settings {
    /// Loopback only; port 0 picks a free one.
    pub bind: SocketAddr,
    /// Where events are posted to. Without it no events are written.
    pub deliver_to: Option<String>,
    /// How many users there are at the start, unless a state file has some. They are computed and
    /// cost no memory until they change; no events are emitted for them.
    pub users: usize,
    /// Ids, faults and new secrets derive from it. Random by default.
    pub seed: u64,
    pub faults: Faults,
    pub instance_id: String,
    pub retries: Retries,
    /// A file in which users, issued ids and the private key survive a restart.
    pub state_file: Option<PathBuf>,
    /// Credentials of an earlier run: secret key, webhook secret and instance id are taken over
    /// if they are not empty. The key pair is in the state file.
    pub credentials: Option<Credentials>,
    /// Whether the provider's rate limits are enforced.
    pub rate_limits: bool,
    /// How long the API waits before each answer.
    pub latency: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            deliver_to: None,
            users: 0,
            seed: Uuid::new_v4().as_u64_pair().1,
            faults: Faults::None,
            instance_id: INSTANCE.to_owned(),
            retries: Retries::standard(),
            state_file: None,
            credentials: None,
            rate_limits: false,
            latency: Duration::ZERO,
        }
    }
}

/// How often deliveries and API requests go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Faults {
    #[default]
    None,
    /// As in a bad week: about 1 event in 100 is dropped, 1 request in 20 fails.
    Light,
    /// Far worse than any provider: 1 event in 20 is dropped, 1 request in 7 fails.
    Heavy,
}

impl Faults {
    /// The retries that fit: short ones with faults, so that a run ends within minutes.
    pub fn retries(self) -> Retries {
        match self {
            Self::None => Retries::standard(),
            Self::Light | Self::Heavy => Retries::short(),
        }
    }
}

/// Wrong answers of the whole Backend API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outage {
    #[default]
    None,
    /// 503 to every request.
    Unavailable,
    /// 401 to every request.
    Unauthorized,
    /// 404 to every request about one user.
    NotFound,
    /// Lists are empty and the count is 0.
    EmptyLists,
    /// Both `NotFound` and `EmptyLists`.
    NoUsers,
    /// 200 to every merge of metadata, with the user as before: nothing of it is kept.
    UnkeptMetadata,
}

#[derive(Clone, Default)]
pub struct Credentials {
    /// The Backend API, without `/v1`.
    pub api_url: String,
    /// The bearer key of the Backend API.
    pub secret_key: String,
    pub publishable_key: String,
    /// The public key of session tokens, as PEM.
    pub jwt_key: String,
    /// Deliveries are signed with it.
    pub webhook_secret: String,
    pub instance_id: String,
    pub issuer: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("api_url", &self.api_url)
            .field("publishable_key", &self.publishable_key)
            .field("instance_id", &self.instance_id)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Why an emulator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// Its keys are no secrets, so that it must not be reachable from elsewhere.
    #[error("the emulator listens on loopback only; {0} is not; use 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    #[error("the emulator cannot listen on {0}: {1}")]
    Bind(SocketAddr, std::io::Error),
    #[error("{0:?} is no address to deliver to; it should be an http or https URL")]
    DeliverTo(String),
    #[error("the emulator's state file {0} cannot be used: {1}")]
    State(PathBuf, String),
    #[error("the emulator's keys cannot be used: {0}")]
    Keys(String),
    #[error("the emulator needs a tokio runtime")]
    NoRuntime,
}
