//! Lines to copy into a shell: they try out a service and an emulator that run.
//!
//! Printed by `dev` and `demo`. Keys stay in the file of variables, which each line reads for
//! itself, so that none stands in a terminal's scrollback or a shell's history.

use super::data_dir::shell_quote;
use std::path::{Path, PathBuf};

/// Who signs up.
const ADDRESS: &str = "ada@example.org";

/// What the lines need to know.
pub(super) struct ShellExamples {
    origin: String,
    env_file: String,
}

impl ShellExamples {
    /// Lines for the service at `origin`, whose keys are in `env_file`.
    pub(super) fn new(origin: &str, env_file: &Path) -> Self {
        Self { origin: origin.to_owned(), env_file: env_file.display().to_string() }
    }

    /// Signs up a user at the emulator.
    pub(super) fn sign_up(&self) -> String {
        self.with_keys(&format!(
            "curl -s \"$CLERK_API_URL/v1/users\" -H \"Authorization: Bearer $CLERK_SECRET_KEY\" \
             -d '{{\"email_address\":[\"{ADDRESS}\"],\"first_name\":\"Ada\"}}'"
        ))
    }

    /// Shows the row of that user.
    pub(super) fn row(&self) -> String {
        self.rows_at(&format!("/v1/users?email={ADDRESS}"))
    }

    /// Shows all rows.
    pub(super) fn rows(&self) -> String {
        self.rows_at("/v1/users")
    }

    fn rows_at(&self, path: &str) -> String {
        let url = format!("{}{path}", self.origin);
        self.with_keys(&format!(
            "curl -s '{url}' -H \"Authorization: Bearer $USERSYNC_ADMIN_TOKEN\""
        ))
    }

    /// Asks with that user's session token who it is.
    pub(super) fn who_am_i(&self) -> String {
        let token = format!(
            "curl -s \"$CLERK_API_URL/v1/usersync/session_token?email_address={ADDRESS}\" \
             -H \"Authorization: Bearer $CLERK_SECRET_KEY\""
        );
        let origin = &self.origin;
        self.with_keys(&format!(
            "token=$({token}); curl -s '{origin}/v1/me' -H \"Authorization: Bearer $token\""
        ))
    }

    /// Signs and posts an event.
    pub(super) fn send(&self) -> String {
        let url = shell_quote(&format!("{}/webhooks/clerk", self.origin));
        let (program, env_file) = (shell_quote(&program()), shell_quote(&self.env_file));
        format!("{program} send user.created --env-file {env_file} --url {url}")
    }

    /// In a shell of its own, which alone gets to know the keys.
    fn with_keys(&self, command: &str) -> String {
        // Without a slash a shell would look for the file along its path.
        let here = if self.env_file.starts_with('/') { "" } else { "./" };
        let env_file = shell_quote(&format!("{here}{}", self.env_file));
        format!("(. {env_file}; {command})")
    }
}

/// This program, as it can be called from the current directory.
fn program() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("usersync"));
    let here = std::env::current_dir().unwrap_or_default();
    let program = match program.strip_prefix(&here) {
        Ok(below) => PathBuf::from(".").join(below),
        Err(_) => program,
    };
    program.display().to_string()
}
