//! Environment and flags become one [`Config`], or one error that lists every problem.
//!
//! Built at the start of every subcommand, and by tests. Everything is checked here, so that
//! a wrong value stops the program before it opens anything. Secrets are held in types that
//! cannot be printed, and no message repeats a secret's text.

mod database_url;
mod loader;
mod provider;
mod sessions;
mod source;
mod variables;

pub use provider::ProviderApi;
pub use source::ConfigSource;
pub use variables::{VARIABLES, Variable, VariableInput};

use crate::access::{Redirects, Tokens};
use crate::domain::Schedule;
use crate::provider::Provider as _;
use crate::provider::clerk::Clerk;
use crate::provider::clerk::session::SessionSettings;
use crate::store::{Database, RowDefaults, UserIds};
use crate::telemetry::LogFormat;
use crate::webhook::SigningSecrets;
use loader::Loader;
use std::net::SocketAddr;
use std::time::Duration;

/// Everything that can be configured, checked.
#[derive(Debug)]
pub struct Config {
    /// Where users are kept.
    pub database: Database,
    /// Where the service listens.
    pub bind: SocketAddr,
    /// Where metrics are served, if elsewhere.
    pub metrics_bind: Option<SocketAddr>,
    /// What deliveries are signed with.
    pub signing_secrets: SigningSecrets,
    /// The provider's instances, and the known roles and plans.
    pub provider: Clerk,
    /// The provider's API, where there is a key for it.
    pub api: Option<ProviderApi>,
    /// How session tokens are checked, where enough is set to check any.
    pub sessions: Option<SessionSettings>,
    /// Whether the provider is told what it lacks.
    pub write_back: bool,
    /// Whether this replica does background work.
    pub workers: bool,
    /// How often it is watched what changed at the provider.
    pub watch_interval: Option<Duration>,
    /// When all users are compared.
    pub reconcile_schedule: Option<Schedule>,
    /// Where browsers may be sent.
    pub redirects: Redirects,
    /// Who may ask.
    pub tokens: Tokens,
    /// Ids of new rows.
    pub user_ids: UserIds,
    /// What to do about an old schema.
    pub migrate: MigrationMode,
    /// How log lines look; `None` decides by whether they go to a terminal.
    pub log_format: Option<LogFormat>,
    /// What is logged.
    pub log_filter: String,
    /// What the operator should know, to be logged once logging works.
    pub warnings: Vec<String>,
}

/// What to do about an old schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationMode {
    /// Bring it up to date at start.
    Auto,
    /// Refuse to start.
    Check,
}

/// What a subcommand cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// A signing secret.
    SigningSecret,
    /// Nothing that has no default.
    Nothing,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} problem(s):\n{}", .0.len(), .0.iter().map(|problem| format!("  - {problem}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Checks every variable and reports all problems at once.
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
            signing_secrets,
            provider: Clerk {
                instances: loader.instances(),
                entitlements: loader.entitlements(),
                names: loader.metadata_names(),
            },
            api,
            sessions: loader.sessions(),
            write_back,
            workers: loader.workers(),
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
}

impl Config {
    /// What holds for every row that is written.
    pub fn row_defaults(&self) -> RowDefaults {
        RowDefaults {
            source: self.provider.source(),
            user_ids: self.user_ids,
            write_back: self.write_back,
        }
    }
}

/// What a sender needs of the configuration: the secrets, and nothing else is looked at.
pub fn signing_secrets(source: &ConfigSource) -> Result<SigningSecrets, ConfigError> {
    let mut loader = Loader::new(source);
    let secrets = loader.signing_secrets(Requirement::SigningSecret);
    loader.problems().map_or(Ok(secrets), Err)
}

/// The emulator on this machine that the variables name, where they name one.
pub fn emulator(source: &ConfigSource) -> Option<ProviderApi> {
    Loader::new(source).provider_api().filter(ProviderApi::is_emulator)
}

/// Where the service would listen, and nothing else is looked at.
pub fn bind_address(source: &ConfigSource) -> Result<SocketAddr, ConfigError> {
    let mut loader = Loader::new(source);
    let bind = loader.bind();
    loader.problems().map_or(Ok(bind), Err)
}

#[cfg(test)]
mod tests;
