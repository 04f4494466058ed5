//! What an emulator is started with, and what it tells about itself.
//!
//! Filled in by `cli::emulate`, by `dev`, by `demo` and by tests; read once at the start.

use super::deliveries::Retries;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use uuid::Uuid;

/// The instance that an emulator is unless told otherwise.
pub const INSTANCE: &str = "ins_usersyncEmulator000000000000";

/// What every key of an emulator holds, so that none is ever taken for a real one.
pub const MARK: &str = "usersync_emulator";

/// Who issues an emulator's session tokens.
pub const ISSUER: &str = "https://usersync-emulator.localhost";

/// How an emulator is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the Backend API listens: loopback only; port 0 picks a free one.
    pub bind: SocketAddr,
    /// Where events are posted to; they are not even written where this is unset.
    pub deliver_to: Option<String>,
    /// How many users there are at the start, unless a state file brings some. No events tell
    /// of them.
    pub users: usize,
    /// What ids, faults and new secrets are derived from. A random one unless given.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// The instance that this is.
    pub instance_id: String,
    /// When a delivery that failed is tried again.
    pub retries: Retries,
    /// Where users, issued ids and the private key survive a restart.
    pub state_file: Option<PathBuf>,
    /// Keys kept from an earlier run: secret key, webhook secret and instance id are taken
    /// over, each where it is not empty. The key pair is not among them, it is in the state file.
    pub credentials: Option<Credentials>,
    /// Whether the provider's rate limits hold.
    pub rate_limits: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            deliver_to: None,
            users: 0,
            seed: random_seed(),
            faults: Faults::None,
            instance_id: INSTANCE.to_owned(),
            retries: Retries::standard(),
            state_file: None,
            credentials: None,
            rate_limits: false,
        }
    }
}

fn random_seed() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}

/// What goes wrong on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Faults {
    /// Nothing.
    #[default]
    None,
    /// What a bad week brings.
    Light,
    /// What no provider would survive.
    Heavy,
}

impl Faults {
    /// The schedule of deliveries that goes with them: where things go wrong on purpose,
    /// nobody waits five minutes to see the outcome.
    pub fn retries(self) -> Retries {
        match self {
            Self::None => Retries::standard(),
            Self::Light | Self::Heavy => Retries::short(),
        }
    }
}

/// What the Backend API answers instead of the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outage {
    /// The truth.
    #[default]
    None,
    /// 503 to every request.
    Unavailable,
    /// 401 to every request.
    Unauthorized,
    /// 404 to every question about one user.
    NotFound,
    /// Lists are empty, and the count is 0.
    EmptyLists,
    /// NoUsers is known: both of these at once.
    NoUsers,
}

/// What is needed to talk to an emulator, and to adopt it.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The Backend API, without `/v1`.
    pub api_url: String,
    /// The Backend API's bearer key.
    pub secret_key: String,
    /// The key that a browser would have.
    pub publishable_key: String,
    /// The public key of session tokens, as PEM.
    pub jwt_key: String,
    /// What deliveries are signed with.
    pub webhook_secret: String,
    /// The instance.
    pub instance_id: String,
    /// The issuer of session tokens.
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

/// Why no emulator could be started.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// Another bind than loopback: its keys are no secrets.
    #[error("the emulator listens on loopback only; {0} is not; use 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The address is taken, or not ours.
    #[error("the emulator cannot listen on {0}: {1}")]
    Bind(SocketAddr, std::io::Error),
    /// The address of deliveries is none.
    #[error("{0:?} is no address to deliver to; it should be an http or https URL")]
    DeliverTo(String),
    /// The state file can be neither read nor understood.
    #[error("the emulator's state file {0} cannot be used: {1}")]
    State(PathBuf, String),
    /// A key could not be made or read.
    #[error("the emulator's keys cannot be used: {0}")]
    Keys(String),
    /// There is nothing to run on.
    #[error("the emulator needs a tokio runtime")]
    NoRuntime,
}
