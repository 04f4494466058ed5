//! Where values come from: a flag, the file of `--env-file`, the environment, in that order.
//!
//! The only place that reads the environment. What the operator wrote on the command line is
//! nearer than what happens to be exported, so the file that it names comes first too.

use super::variables::{VARIABLES, VariableInput};
use std::collections::HashMap;
use std::path::Path;

/// The raw values of variables.
#[derive(Default)]
pub struct ConfigSource {
    values: HashMap<String, String>,
}

impl ConfigSource {
    /// The process's environment.
    pub fn from_environment() -> Self {
        Self { values: std::env::vars_os().filter_map(readable).collect() }
    }

    /// Adds, over what is there, the lines of a dotenv file.
    pub fn read_env_file(&mut self, path: &Path) -> Result<(), String> {
        let explain = |error: dotenvy::Error| match error {
            // The text of a line that cannot be read may hold a secret.
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

    /// Sets a value over what is there.
    pub fn set(&mut self, name: &str, value: String) {
        self.forget_other_way(name);
        self.values.insert(name.to_owned(), value);
    }

    /// Sets a variable, unless it is set.
    pub fn set_default(&mut self, name: &str, value: &str) {
        self.values.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }

    /// A secret that is given now replaces one that was given the other way.
    fn forget_other_way(&mut self, name: &str) {
        let other = name.strip_suffix("_FILE").map_or(format!("{name}_FILE"), str::to_owned);
        self.values.remove(&other);
    }

    /// Forgets the variables that name a real provider, database or listener, so that nothing
    /// real is touched by what is meant for trying out, and nobody else reaches it.
    pub fn forget_real_world(&mut self) {
        self.forget(&["CLERK_", "NEXT_PUBLIC_CLERK_"]);
        self.forget_real_database();
    }

    /// Likewise, but leaves the provider.
    pub fn forget_real_database(&mut self) {
        self.forget(&["DATABASE_URL", "USERSYNC_METRICS_BIND"]);
    }

    fn forget(&mut self, prefixes: &[&str]) {
        self.values.retain(|name, _| !prefixes.iter().any(|prefix| name.starts_with(prefix)));
    }

    /// The trimmed value of a variable; blank counts as unset. A secret may stand in the
    /// file that `NAME_FILE` names.
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

    /// Names that look like ours but are none: most likely a slip of the keyboard.
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
    // The variable's old name is no entry of its own in the list.
    name == "CLERK_WEBHOOK_SECRET"
        || VARIABLES
            .iter()
            .any(|variable| variable.name == name && variable.input == VariableInput::Secret)
}

fn readable(pair: (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((pair.0.into_string().ok()?, pair.1.into_string().ok()?))
}
