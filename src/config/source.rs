//! Raw values of variables: from a flag, the file of `--env-file`, or the environment, in this
//! order.
//!
//! Filled by `cli`, read by the loader. The only place that reads the environment. The command line
//! states what the operator wants now, so a file that it names takes precedence over exported
//! variables.

use super::variables::{VARIABLES, VariableInput};
use std::collections::HashMap;
use std::path::Path;

#[derive(Default)]
pub struct ConfigSource {
    values: HashMap<String, String>,
}

impl ConfigSource {
    pub fn from_environment() -> Self {
        Self { values: std::env::vars_os().filter_map(readable).collect() }
    }

    /// Adds the variables of a dotenv file, over those that are set.
    pub fn read_env_file(&mut self, path: &Path) -> Result<(), String> {
        let explain = |error: dotenvy::Error| match error {
            // The line's text may contain a secret.
            dotenvy::Error::LineParse(_, place) => {
                format!(
                    "--env-file {}: a line cannot be read, near byte {place} of it",
                    path.display()
                )
            }
            other => format!("--env-file {}: {other}", path.display()),
        };
        let file: HashMap<String, String> = dotenvy::from_path_iter(path)
            .map_err(explain)?
            .collect::<Result<_, _>>()
            .map_err(explain)?;
        for name in file.keys() {
            self.forget_other_way(name);
        }
        self.values.extend(file);
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

    /// The trimmed value; blank counts as unset. For a secret, `NAME_FILE` may name its file.
    pub(super) fn get(&self, name: &str) -> Result<Option<String>, String> {
        let direct = self.trimmed(name);
        let path = is_secret(name).then(|| self.trimmed(&format!("{name}_FILE"))).flatten();
        match (direct, path) {
            (Some(_), Some(_)) => Err(format!("is set, and {name}_FILE too; keep one of them")),
            (Some(value), None) => Ok(Some(value.to_owned())),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) if text.trim().is_empty() => Err(format!("the file {path} is empty")),
                Ok(text) => Ok(Some(text.trim().to_owned())),
                Err(error) => {
                    Err(format!("the file {path} in {name}_FILE cannot be read: {error}"))
                }
            },
            (None, None) => Ok(None),
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
            .filter(|name| !known(name))
            .collect();
        names.sort_unstable();
        names
    }

    fn trimmed(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

fn is_secret(name: &str) -> bool {
    // The old name of CLERK_WEBHOOK_SIGNING_SECRET is not in the list.
    name == "CLERK_WEBHOOK_SECRET"
        || VARIABLES
            .iter()
            .any(|variable| variable.name == name && variable.input == VariableInput::Secret)
}

fn readable(pair: (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((pair.0.into_string().ok()?, pair.1.into_string().ok()?))
}
