//! One pass over the variables that collects values, problems and warnings.
//!
//! Called by [`Config::load`]. A method that finds a problem records it and returns a harmless
//! value, so that the operator sees every problem at once.

use super::database_url;
use super::spelling;
use super::{Config, ConfigError, ConfigSource, Requirement};
use crate::access::{Access, Tokens};
use crate::domain::schedule::parse_duration;
use crate::domain::{AllowedValues, EntitlementName, Entitlements};
use crate::store::Database;
use crate::webhook::{SigningSecret, SigningSecrets};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) struct Loader<'a> {
    source: &'a ConfigSource,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(source: &'a ConfigSource) -> Self {
        let typo =
            |name: &str| format!("{name} is no variable of usersync; see `usersync serve --help`");
        let warnings = source.unknown().into_iter().map(typo).collect();
        Self { source, problems: Vec::new(), warnings }
    }

    pub(super) fn finish(mut self, mut config: Config) -> Result<Config, ConfigError> {
        config.warnings = std::mem::take(&mut self.warnings);
        self.problems().map_or(Ok(config), Err)
    }

    pub(super) fn problems(self) -> Option<ConfigError> {
        (!self.problems.is_empty()).then_some(ConfigError(self.problems))
    }

    pub(super) fn problem(&mut self, name: &str, what: impl std::fmt::Display) {
        self.problems.push(format!("{name} {what}"));
    }

    pub(super) fn warn(&mut self, warning: &str) {
        self.warnings.push(warning.to_owned());
    }

    pub(super) fn problem_count(&self) -> usize {
        self.problems.len()
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.accept(name, self.source.get(name)).flatten()
    }

    /// The parsed value; `None` if it is unset or, which is recorded, `parse` finds nothing in it.
    pub(super) fn parse<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        problem: &str,
    ) -> Option<T> {
        let parsed = parse(&self.text(name)?);
        if parsed.is_none() {
            self.problem(name, problem);
        }
        parsed
    }

    /// The value; records the error.
    pub(super) fn accept<T>(
        &mut self,
        name: &str,
        result: Result<T, impl std::fmt::Display>,
    ) -> Option<T> {
        result.map_err(|what| self.problem(name, what)).ok()
    }

    /// Items are separated by commas or white space.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        let items = text.split(|character: char| character == ',' || character.is_whitespace());
        items.map(spelling::bare).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn database(&mut self) -> Database {
        let schema = self.text("USERSYNC_SCHEMA").unwrap_or_else(|| "usersync".into());
        if !is_plain_identifier(&schema) {
            self.problem(
                "USERSYNC_SCHEMA",
                "is not a plain name: use up to 63 letters, digits and underscores, no digit first, and not `pg_…`",
            );
        }
        let url = self.text("DATABASE_URL").unwrap_or_else(|| "sqlite://data/usersync.db".into());
        let parsed = self.accept("DATABASE_URL", database_url::parse(&url, schema));
        let (database, warning) = parsed.unwrap_or((Database::Sqlite(PathBuf::new()), None));
        self.warnings.extend(warning);
        database
    }

    pub(super) fn bind(&mut self) -> SocketAddr {
        let problem = "is not a port: use a number from 0 to 65535";
        let port = self.parse("PORT", |text| text.parse().ok(), problem);
        match (self.address("USERSYNC_BIND"), port) {
            (Some(address), Some(port)) => SocketAddr::new(address.ip(), port),
            (Some(address), None) => address,
            (None, Some(port)) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
            (None, None) => SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
        }
    }

    pub(super) fn address(&mut self, name: &str) -> Option<SocketAddr> {
        let problem = "is not an address with a port, as in `127.0.0.1:8080` or `[::1]:8080`";
        self.parse(name, |text| text.parse().ok(), problem)
    }

    pub(super) fn signing_secrets(&mut self, requirement: Requirement) -> SigningSecrets {
        let current = self.secrets("CLERK_WEBHOOK_SIGNING_SECRET");
        let old = self.secrets("CLERK_WEBHOOK_SECRET");
        let unreadable = self.problems.iter().any(|problem| problem.starts_with("CLERK_WEBHOOK_S"));
        let is_unset = current.is_empty() && old.is_empty() && !unreadable;
        if is_unset && requirement == Requirement::SigningSecret {
            self.problem(
                "CLERK_WEBHOOK_SIGNING_SECRET",
                "is not set; copy the signing secret (`whsec_…`) of your webhook endpoint from the provider's \
                 dashboard into it. To try usersync without a provider, run `usersync dev`, \
                 whose secret `--env-file data/dev/env` gives to the other commands",
            );
        }
        if current.is_empty() && !old.is_empty() {
            self.warn(
                "CLERK_WEBHOOK_SECRET is the old name; rename it to CLERK_WEBHOOK_SIGNING_SECRET",
            );
            return SigningSecrets::new(old, Vec::new());
        }
        if !old.is_empty() {
            self.warn("CLERK_WEBHOOK_SECRET is not used, because CLERK_WEBHOOK_SIGNING_SECRET is set; remove it");
        }
        SigningSecrets::new(current, old)
    }

    fn secrets(&mut self, name: &str) -> Vec<SigningSecret> {
        let texts = self.list(name);
        texts.iter().filter_map(|text| self.accept(name, SigningSecret::parse(text))).collect()
    }

    pub(super) fn instances(&mut self) -> Vec<String> {
        let instances = self.list("CLERK_INSTANCE_ID");
        if instances.iter().any(|instance| !instance.starts_with("ins_")) {
            self.problem("CLERK_INSTANCE_ID", "is not an instance id; it starts with `ins_`");
        }
        instances
    }

    pub(super) fn tokens(&mut self) -> Tokens {
        let mut tokens = Tokens::default();
        for (name, access) in [
            ("USERSYNC_ADMIN_TOKEN", Access::Administer),
            ("USERSYNC_READ_TOKEN", Access::ReadUsers),
        ] {
            for text in self.list(name) {
                self.accept(name, tokens.add(&text, access));
            }
        }
        tokens
    }

    pub(super) fn entitlements(&mut self) -> Entitlements {
        Entitlements {
            roles: self.policy("USERSYNC_ROLES", "user,admin", "USERSYNC_DEFAULT_ROLE", "user"),
            plans: self.policy("USERSYNC_PLANS", "any", "USERSYNC_DEFAULT_PLAN", "free"),
        }
    }

    /// The single word `any` allows every well-formed word.
    fn policy(
        &mut self,
        list: &str,
        known: &str,
        default: &str,
        default_word: &str,
    ) -> AllowedValues {
        let mut words = self.list(list);
        if words.is_empty() {
            words = known.split(',').map(str::to_owned).collect();
        }
        let known: Vec<EntitlementName> = match words.as_slice() {
            [any] if any == "any" => Vec::new(),
            words => words.iter().filter_map(|word| self.word(list, word)).collect(),
        };
        let word = self.text(default).unwrap_or_else(|| default_word.to_owned());
        let default_role = self.word(default, &word);
        if let Some(role) = &default_role
            && !known.is_empty()
            && !known.contains(role)
        {
            self.problem(default, format_args!("is not among the words of {list}; add it there"));
        }
        AllowedValues { known, default: default_role.unwrap_or_default() }
    }

    fn word(&mut self, name: &str, word: &str) -> Option<EntitlementName> {
        let role = EntitlementName::parse(word);
        if role.is_none() {
            self.problem(name, "holds a word that is not 1 to 64 letters, digits, `.`, `_` or `-`");
        }
        role
    }

    /// A number of seconds, minutes or hours, up to an hour.
    pub(super) fn duration(&mut self, name: &str, default: Duration) -> Duration {
        let parse = |text: &str| parse_duration(text).filter(|duration| *duration <= HOUR);
        self.parse(name, parse, "is no duration up to an hour, as in `0s`, `75s` or `10m`")
            .unwrap_or(default)
    }

    /// In any case: writers of configuration have their own ways with `true`.
    pub(super) fn choice<T: Copy>(&mut self, name: &str, default: T, choices: &[(&str, T)]) -> T {
        let Some(text) = self.text(name) else {
            return default;
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text))
        {
            return *choice;
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
        self.problem(name, format_args!("must be {}", words.join(" or ")));
        default
    }

    pub(super) fn log_filter(&mut self) -> String {
        let filter = self.text("RUST_LOG").unwrap_or_else(|| "info".into());
        if let Err(error) = filter.parse::<tracing_subscriber::filter::Targets>() {
            self.problem("RUST_LOG", format_args!("cannot be read: {error}; try `info`"));
        }
        filter
    }
}

fn is_plain_identifier(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let word = name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    starts && word && name.len() <= 63 && !name.starts_with("pg_")
}
