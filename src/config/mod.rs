//! Environment and flags become one [`Config`], or one error that lists every problem.
//!
//! Built at the start of every subcommand, and by tests. Everything is checked here, so that a
//! wrong value stops the program before it opens anything. Types that hold secrets do not print
//! them, and no message repeats one.

mod database_url;
pub mod dotenv;
mod loader;
mod provider;
mod sessions;
mod source;
mod spelling;
mod variables;

pub use provider::ProviderApi;
pub use source::ConfigSource;
pub use variables::{VARIABLES, Variable, VariableInput};

use crate::access::{Redirects, Tokens};
use crate::domain::Schedule;
use crate::provider::clerk::Clerk;
use crate::provider::clerk::session::SessionSettings;
use crate::store::{Database, RowDefaults, UserIds};
use crate::telemetry::LogFormat;
use crate::webhook::SigningSecrets;
use loader::Loader;
use provider::ON_OFF;
use std::net::SocketAddr;
use std::time::Duration;

/// Longer than the idle time of most load balancers (60 s), so that they close first.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

#[derive(Debug)]
pub struct Config {
    pub database: Database,
    pub bind: SocketAddr,
    /// `None`: metrics are served on `bind`, if that is loopback.
    pub metrics_bind: Option<SocketAddr>,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Between "not ready" and "closed".
    pub shutdown_delay: Duration,
    pub signing_secrets: SigningSecrets,
    /// Instances, allowed roles and plans, and names in the public metadata.
    pub provider: Clerk,
    /// `None` without a secret key.
    pub api: Option<ProviderApi>,
    /// `None` if no key to verify them is known.
    pub sessions: Option<SessionSettings>,
    /// Whether missing ids and roles are written into the provider's metadata.
    pub write_back: bool,
    pub workers: bool,
    /// `None`: recent changes at the provider are not watched.
    pub watch_interval: Option<Duration>,
    /// `None`: all users are compared only if an operator starts the job.
    pub reconcile_schedule: Option<Schedule>,
    pub redirects: Redirects,
    pub tokens: Tokens,
    pub user_ids: UserIds,
    /// What to do about a schema that is older than this release.
    pub migrate: MigrationMode,
    /// `None`: text on a terminal, else JSON.
    pub log_format: Option<LogFormat>,
    pub log_filter: String,
    /// For the operator, to be logged once logging works.
    pub warnings: Vec<String>,
}

/// What to do about a schema that is older than this release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationMode {
    Auto,
    Check,
}

/// A variable without a default that a subcommand needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    SigningSecret,
    Nothing,
}

#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} problem(s):\n{}", .0.len(), .0.iter().map(|problem| format!("  - {problem}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Checks every variable, and reports all problems at once.
    pub fn load(source: &ConfigSource, requirement: Requirement) -> Result<Self, ConfigError> {
        let mut loader = Loader::new(source);
        let api = loader.provider_api();
        let write_back = loader.write_back(api.as_ref());
        let signing_secrets = loader.signing_secrets(requirement);
        loader.refuse_emulators_secret(&signing_secrets);
        let config = Self {
            database: loader.database(),
            bind: loader.bind(),
            metrics_bind: loader.address("USERSYNC_METRICS_BIND"),
            keep_alive: loader.duration("USERSYNC_KEEP_ALIVE", KEEP_ALIVE),
            shutdown_delay: loader.duration("USERSYNC_SHUTDOWN_DELAY", Duration::ZERO),
            signing_secrets,
            provider: Clerk {
                instances: loader.instances(),
                entitlements: loader.entitlements(),
                names: loader.metadata_names(),
            },
            api,
            sessions: loader.sessions(),
            write_back,
            workers: loader.choice("USERSYNC_WORKERS", true, ON_OFF),
            watch_interval: loader.watch_interval(),
            reconcile_schedule: loader.reconcile_schedule(),
            redirects: loader.redirects(),
            tokens: loader.tokens(),
            user_ids: loader.choice(
                "USERSYNC_USER_ID",
                UserIds::Uuid,
                &[("uuid", UserIds::Uuid), ("external", UserIds::External)],
            ),
            migrate: loader.choice(
                "USERSYNC_MIGRATE",
                MigrationMode::Auto,
                &[("auto", MigrationMode::Auto), ("check", MigrationMode::Check)],
            ),
            log_format: loader.choice(
                "USERSYNC_LOG_FORMAT",
                None,
                &[("text", Some(LogFormat::Text)), ("json", Some(LogFormat::Json))],
            ),
            log_filter: loader.log_filter(),
            warnings: Vec::new(),
        };
        loader.finish(config)
    }

    pub fn row_defaults(&self) -> RowDefaults {
        RowDefaults { source: Clerk::SOURCE, user_ids: self.user_ids, write_back: self.write_back }
    }
}

/// Loads the signing secrets alone, for `send`.
pub fn signing_secrets(source: &ConfigSource) -> Result<SigningSecrets, ConfigError> {
    let mut loader = Loader::new(source);
    let secrets = loader.signing_secrets(Requirement::SigningSecret);
    loader.problems().map_or(Ok(secrets), Err)
}

/// The emulator on this machine that the variables name, if any.
pub fn emulator(source: &ConfigSource) -> Option<ProviderApi> {
    Loader::new(source).provider_api().filter(ProviderApi::is_emulator)
}

/// Loads the listen address alone.
pub fn bind_address(source: &ConfigSource) -> Result<SocketAddr, ConfigError> {
    let mut loader = Loader::new(source);
    let bind = loader.bind();
    loader.problems().map_or(Ok(bind), Err)
}

#[cfg(test)]
mod tests;
