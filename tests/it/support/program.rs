//! The program as its user starts it: a process in a directory of its own, with an
//! environment that holds nothing but what a test says.

use super::{HANGS_AFTER, TestDatabase};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use tempfile::TempDir;

/// The few options of `curl` that the printed lines use, for systems without it.
const CURL: &str = r#"#!/usr/bin/env bash
LC_ALL=C method=GET body='' headers=''
while (($#)); do
  case $1 in
    -s) ;;
    -H) headers+=$2$'\r\n'; shift ;;
    -d) method=POST body=$2; shift ;;
    *) url=$1 ;;
  esac
  shift
done
[[ $url =~ ^http://([^:/]+):([0-9]+)(/.*)$ ]] || exit 3
exec {socket}<>"/dev/tcp/${BASH_REMATCH[1]}/${BASH_REMATCH[2]}"
printf '%s %s HTTP/1.0\r\nHost: %s:%s\r\nContent-Length: %s\r\n%s\r\n%s' "$method" \
  "${BASH_REMATCH[3]}" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${#body}" "$headers" "$body" >&"$socket"
while IFS= read -r line && [[ $line != $'\r' ]]; do :; done <&"$socket"
cat <&"$socket"
"#;

pub struct Program {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct RunOutput {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let variables = Vec::new();
        Self { directory, variables }
    }

    pub fn on(database: &TestDatabase) -> Self {
        Self::new().with("DATABASE_URL", &database.url()).with("USERSYNC_SCHEMA", &database.schema)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs to the end on a thread of its own: the emulator answers on this one.
    pub async fn run_aside(self, arguments: &[&'static str]) -> RunOutput {
        let arguments = arguments.to_vec();
        tokio::task::spawn_blocking(move || self.run(&arguments)).await.unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> RunOutput {
        let output = self.command(arguments).output().unwrap();
        RunOutput::of(&output)
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        forward(child.stdout.take().unwrap(), true, sender.clone());
        forward(child.stderr.take().unwrap(), false, sender);
        Running { child, lines, said: String::new(), stdout: String::new() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_usersync"));
        command.args(arguments).current_dir(self.directory()).stdin(Stdio::null()).env_clear();
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }
}

impl RunOutput {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            status: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

/// A program that runs, and the lines that it writes to either stream.
pub struct Running {
    child: Child,
    /// Each line, and whether it is of standard output.
    lines: Receiver<(bool, String)>,
    pub said: String,
    stdout: String,
}

impl Running {
    /// The first line that holds `text`, waited for where it has not come. The two streams
    /// come in no order.
    pub fn line_with(&mut self, text: &str) -> String {
        loop {
            if let Some(line) = self.said.lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(self.take_line(), "no {text:?} in\n{}", self.said);
        }
    }

    fn take_line(&mut self) -> bool {
        let Ok((is_stdout, line)) = self.lines.recv_timeout(HANGS_AFTER) else {
            return false;
        };
        writeln!(self.said, "{line}").unwrap();
        if is_stdout {
            writeln!(self.stdout, "{line}").unwrap();
        }
        true
    }

    /// The lines to copy that it printed so far: commands in a shell of their own, or of this
    /// program.
    pub fn lines_to_copy(&self) -> Vec<String> {
        let lines = self.said.lines().filter_map(|line| line.strip_prefix("  "));
        let commands = lines.filter(|line| line.starts_with('(') || line.contains(" --env-file "));
        commands.map(str::to_owned).collect()
    }

    pub fn terminate(self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Likewise, as Ctrl-C does.
    pub fn interrupt(self) -> (Option<i32>, String) {
        self.signal(Signal::INT);
        self.ended()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn ended(mut self) -> (Option<i32>, String) {
        while self.take_line() {}
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.said))
    }

    pub fn printed(mut self) -> (Option<i32>, String) {
        while self.take_line() {}
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.stdout))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a line as a user would who copies it, and returns what it printed.
pub fn shell(program: &Program, line: &str) -> String {
    let tools = program.directory().join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    std::fs::write(tools.join("curl"), CURL).unwrap();
    std::fs::set_permissions(tools.join("curl"), Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:{}", std::env::var("PATH").unwrap(), tools.display());
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("PATH", path).current_dir(program.directory());
    let run = RunOutput::of(&command.output().unwrap());
    assert_eq!(run.status, Some(0), "{line}: {run:?}");
    run.stdout
}

fn forward(stream: impl Read + Send + 'static, is_stdout: bool, lines: Sender<(bool, String)>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            if lines.send((is_stdout, line.unwrap())).is_err() {
                return;
            }
        }
    });
}
