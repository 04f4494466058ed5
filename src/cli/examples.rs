//! Shell commands that try out a running service and emulator, printed by `dev` and `demo`.
//!
//! Keys stay in the `env` file, which each command reads itself, so that no key gets into a
//! terminal's scrollback or a shell's history.

use super::data_dir::shell_quote;
use std::path::{Path, PathBuf};

const ADDRESS: &str = "ada@example.org";

pub(super) struct ShellExamples {
    origin: String,
    env_file: String,
}

impl ShellExamples {
    /// Commands for the service at `origin`, whose keys are in `env_file`.
    pub(super) fn new(origin: &str, env_file: &Path) -> Self {
        Self { origin: origin.to_owned(), env_file: env_file.display().to_string() }
    }

    pub(super) fn sign_up(&self) -> String {
        self.with_keys(&format!(
            "curl -s \"$CLERK_API_URL/v1/users\" -H \"Authorization: Bearer $CLERK_SECRET_KEY\" \
             -d '{{\"email_address\":[\"{ADDRESS}\"],\"first_name\":\"Ada\"}}'"
        ))
    }

    pub(super) fn row(&self) -> String {
        self.rows_at(&format!("/v1/users?email={ADDRESS}"))
    }

    pub(super) fn rows(&self) -> String {
        self.rows_at("/v1/users")
    }

    fn rows_at(&self, path: &str) -> String {
        let url = format!("{}{path}", self.origin);
        self.with_keys(&format!(
            "curl -s '{url}' -H \"Authorization: Bearer $USERSYNC_ADMIN_TOKEN\""
        ))
    }

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

    pub(super) fn send(&self) -> String {
        let url = shell_quote(&format!("{}/webhooks/clerk", self.origin));
        let (program, env_file) = (shell_quote(&program()), shell_quote(&self.env_file));
        format!("{program} send user.created --env-file {env_file} --url {url}")
    }

    /// In a subshell, so that the user's shell does not get the keys.
    fn with_keys(&self, command: &str) -> String {
        // Without a slash the shell would search `PATH` for the file.
        let here = if self.env_file.starts_with('/') { "" } else { "./" };
        let env_file = shell_quote(&format!("{here}{}", self.env_file));
        format!("(. {env_file}; {command})")
    }
}

/// This program's path, relative to the current directory if it is below.
fn program() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("usersync"));
    let here = std::env::current_dir().unwrap_or_default();
    let program = match program.strip_prefix(&here) {
        Ok(below) => PathBuf::from(".").join(below),
        Err(_) => program,
    };
    program.display().to_string()
}
