//! Raw values of variables: from a flag, the file of `--env-file`, or the environment, in this
//! order.
//!
//! Filled by `cli`, read by the loader. The only place that reads the environment. The command line
//! states what the operator wants now, so a file that it names takes precedence over exported
//! variables.

use super::variables::{VARIABLES, VariableInput};
use super::{dotenv, dotenv::DotenvValue, spelling};
use std::collections::HashMap;
use std::path::Path;

#[derive(Default)]
pub struct ConfigSource {
    values: HashMap<String, String>,
}

/// Whether the service reads a variable of this name, or says that it does not know it.
fn is_ours(name: &str) -> bool {
    let name = name.strip_suffix("_FILE").unwrap_or(name);
    name.starts_with("USERSYNC_") || VARIABLES.iter().any(|variable| variable.name == name)
}

impl ConfigSource {
    pub fn from_environment() -> Self {
        Self { values: std::env::vars_os().filter_map(readable).collect() }
    }

    /// Adds the variables of a dotenv file, over those that are set.
    pub fn read_env_file(&mut self, path: &Path) -> Result<(), String> {
        let explain =
            |what: &dyn std::fmt::Display| format!("--env-file {}: {what}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| explain(&error))?;
        let outside = |name: &str| self.values.get(name).cloned();
        let file = dotenv::parse(&text, is_ours, outside).map_err(|error| explain(&error))?;
        for name in file.keys() {
            self.forget_other_way(name);
        }
        // A literal keeps its quotes, by which `spelling` knows that nothing was to be replaced.
        self.values.extend(file.into_iter().map(|(name, value)| match value {
            DotenvValue { text, is_literal: true } => (name, format!("'{text}'")),
            DotenvValue { text, .. } => (name, text),
        }));
        Ok(())
    }

    pub fn set(&mut self, name: &str, value: String) {
        self.forget_other_way(name);
        self.values.insert(name.to_owned(), value);
    }

    pub fn set_default(&mut self, name: &str, value: &str) {
        self.values.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }

    /// A secret replaces its `_FILE` variant, and the other way round.
    fn forget_other_way(&mut self, name: &str) {
        let other = name.strip_suffix("_FILE").map_or(format!("{name}_FILE"), str::to_owned);
        self.values.remove(&other);
    }

    /// Removes the variables of a real provider, database or metrics listener, so that `dev` and
    /// `demo` touch nothing real and are not reachable from elsewhere.
    pub fn forget_real_world(&mut self) {
        self.forget(&["CLERK_", "NEXT_PUBLIC_CLERK_"]);
        self.forget_real_database();
    }

    /// The same, but keeps the provider.
    pub fn forget_real_database(&mut self) {
        self.forget(&["DATABASE_URL", "USERSYNC_METRICS_BIND"]);
    }

    fn forget(&mut self, prefixes: &[&str]) {
        self.values.retain(|name, _| !prefixes.iter().any(|prefix| name.starts_with(prefix)));
    }

    /// The bare value; blank counts as unset. For a secret, `NAME_FILE` may name its file, whose `$`
    /// stand for themselves. That name is never printed: whoever mistook it wrote the secret there.
    pub(super) fn get(&self, name: &str) -> Result<Option<String>, String> {
        let file = format!("{name}_FILE");
        let path = is_secret(name).then(|| self.bare(&file)).flatten();
        match (self.bare(name), path) {
            (Some(_), Some(_)) => Err(format!("is set, and {file} too; keep one of them")),
            (None, Some(path)) => read(path)
                .map(Some)
                .map_err(|what| format!("cannot be read from the file in {file}: {what}")),
            (direct, None) => {
                self.values.get(name).map_or(Ok(()), |value| spelling::check(value))?;
                Ok(direct.map(str::to_owned))
            }
        }
    }

    /// Names with our prefix that are not variables: most likely typing errors.
    pub(super) fn unknown(&self) -> Vec<&str> {
        let known = |name: &str| {
            VARIABLES.iter().any(|variable| {
                name == variable.name
                    || (variable.input == VariableInput::Secret
                        && name.strip_suffix("_FILE") == Some(variable.name))
            })
        };
        let mut names: Vec<&str> = self
            .values
            .keys()
            .map(String::as_str)
            .filter(|name| name.starts_with("USERSYNC_") && !name.starts_with("USERSYNC_TEST_"))
            .filter(|name| !known(name) && !self.is_service_link(name))
            .collect();
        names.sort_unstable();
        names
    }

    /// Whether Kubernetes, or a link of Docker, injected it for a service called as we are.
    fn is_service_link(&self, name: &str) -> bool {
        let is_address = |name| self.bare(name).is_some_and(|value| value.contains("://"));
        name.ends_with("_SERVICE_HOST")
            || name.contains("_SERVICE_PORT")
            || name.contains("_PORT_")
                && ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| name.contains(protocol))
            || name.ends_with("_PORT") && is_address(name)
    }

    fn bare(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| spelling::bare(value)).filter(|value| !value.is_empty())
    }
}

/// The secret in a file.
fn read(path: &str) -> Result<String, String> {
    spelling::check(path).map_err(|what| format!("its path {what}"))?;
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    match spelling::bare(&text) {
        "" => Err("it is empty".into()),
        secret => Ok(secret.to_owned()),
    }
}

fn is_secret(name: &str) -> bool {
    // The old name of CLERK_WEBHOOK_SIGNING_SECRET is not in the list.
    name == "CLERK_WEBHOOK_SECRET"
        || VARIABLES
            .iter()
            .any(|variable| variable.name == name && variable.input == VariableInput::Secret)
}

/// What is not UTF-8 gets a mark, by which it is refused, where it would seem unset.
fn readable(pair: (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((pair.0.into_string().ok()?, pair.1.to_string_lossy().into_owned()))
}
