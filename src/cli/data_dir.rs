//! The data directory of `dev` and `demo`: accessible to its owner only, with an `env` file that
//! the other commands take by `--env-file`.
//!
//! The file is written so that both `--env-file` and a shell's `.` read the same values from it.

use super::Failure;
use clerk_emulator::{Credentials, replace_file};
use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use usersync::config::{ConfigSource, dotenv};
use uuid::Uuid;

/// Permission bits of group and others.
const OTHERS: u32 = 0o077;

pub(super) struct DataDir {
    directory: PathBuf,
}

/// The `env` file, whose order and comments are kept.
pub(super) struct EnvFile {
    path: PathBuf,
    lines: Vec<String>,
    values: HashMap<String, String>,
}

impl DataDir {
    /// Creates the directory if it does not exist.
    pub(super) fn open(directory: PathBuf) -> Result<Self, Failure> {
        // The name is part of shell commands and of a dotenv file.
        if directory.to_str().is_none_or(|text| text.contains(['\'', '\n'])) {
            let text = "the data directory's name holds a quote or is no text; choose another";
            return Err(Failure::Message(text.into()));
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(|error| unusable(&directory, &error))?;
        let found = fs::metadata(&directory).map_err(|error| unusable(&directory, &error))?;
        if found.mode() & OTHERS != 0 {
            let why = format!("others may look into it; run `chmod 700 {}`", directory.display());
            return Err(unusable(&directory, &why));
        }
        Ok(Self { directory })
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(super) fn env_file(&self) -> PathBuf {
        self.file("env")
    }

    pub(super) fn database_url(&self) -> String {
        format!("sqlite://{}", self.file("usersync.db").display())
    }

    /// Reads the `env` file; it is empty if it does not exist.
    pub(super) fn variables(&self) -> Result<EnvFile, Failure> {
        let path = self.env_file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unusable(&path, &error)),
        };
        let values =
            dotenv::parse(&text, |_| true, |_| None).map_err(|error| unusable(&path, &error))?;
        let values = values.into_iter().map(|(name, value)| (name, value.text)).collect();
        Ok(EnvFile { path, lines: text.lines().map(str::to_owned).collect(), values })
    }
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::Message(format!("{} cannot be used: {why}", path.display()))
}

impl EnvFile {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Sets a value, on the line of an earlier one.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        if self.get(name) == Some(value) {
            return;
        }
        let line = format!("{name}={}", shell_quote(value));
        let begins = format!("{name}=");
        let is_it = |old: &&mut String| {
            let old = old.trim_start();
            old.strip_prefix("export ").unwrap_or(old).trim_start().starts_with(&begins)
        };
        match self.lines.iter_mut().find(is_it) {
            Some(old) => *old = line,
            None => self.lines.push(line),
        }
        self.values.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn copy_to(&self, source: &mut ConfigSource) {
        for (name, value) in &self.values {
            source.set(name, value.clone());
        }
    }

    /// The operator's token, created if there is none.
    pub(super) fn keep_admin_token(&mut self) -> String {
        let name = "USERSYNC_ADMIN_TOKEN";
        if let Some(token) = self.get(name) {
            return token.to_owned();
        }
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.set(name, &token);
        token
    }

    /// Sets what other commands need of the emulator's keys and of the database.
    pub(super) fn keep_emulator(&mut self, keys: &Credentials, data: &DataDir) {
        self.set("CLERK_WEBHOOK_SIGNING_SECRET", &keys.webhook_secret);
        self.set("CLERK_SECRET_KEY", &keys.secret_key);
        self.set("CLERK_API_URL", &keys.api_url);
        self.set("CLERK_PUBLISHABLE_KEY", &keys.publishable_key);
        self.set("DATABASE_URL", &data.database_url());
    }

    /// Adds a comment to a file that is empty.
    pub(super) fn title(&mut self, title: &str) {
        if self.lines.is_empty() {
            self.lines.push(format!("# {title}"));
        }
    }

    pub(super) fn write(&self) -> Result<(), Failure> {
        let text: String = self.lines.iter().flat_map(|line| [line, "\n"]).collect();
        replace_file(&self.path, text.as_bytes()).map_err(|error| unusable(&self.path, &error))
    }
}

/// Quotes a text as one word of a shell command and of a dotenv file.
pub(super) fn shell_quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=+@%,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{text}'")
}

#[cfg(test)]
mod tests {
    use super::DataDir;
    use std::fs;

    #[test]
    fn what_a_file_has_is_kept_and_what_it_lacks_is_added() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(directory.path().join("my data")).unwrap();
        let old = "# mine\nexport A=1\nOTHER='x y'\nUSERSYNC_ADMIN_TOKEN=kept\n";
        fs::write(data.env_file(), old).unwrap();
        let mut variables = data.variables().unwrap();
        variables.title("not needed");
        assert_eq!(variables.keep_admin_token(), "kept");
        variables.set("A", "2");
        variables.set("DATABASE_URL", &data.database_url());
        variables.write().unwrap();
        let again = data.variables().unwrap();
        assert_eq!(again.lines[..4], ["# mine", "A=2", "OTHER='x y'", "USERSYNC_ADMIN_TOKEN=kept"]);
        assert_eq!(again.get("DATABASE_URL"), Some(data.database_url().as_str()));
        assert_eq!(again.lines.len(), 5);
    }

    #[test]
    fn a_directory_whose_name_would_break_a_line_is_refused() {
        assert!(DataDir::open("it's".into()).is_err());
    }
}
