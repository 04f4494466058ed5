//! The real program as a process of its own: it can be killed, asked to stop, and measured.

use super::{Answer, READ_TOKEN, SECRET, Sender, TestDatabase, until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// How long a service may take to be ready on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Raises the limit of open files as far as this user may, then becomes the program.
const WITH_MANY_FILES: &str = r#"ulimit -n "$(ulimit -Hn)"; exec "$0" serve"#;

/// `usersync serve` on a port that it keeps when it is started again.
pub struct Service {
    pub port: u16,
    command: Command,
    child: Child,
    directory: TempDir,
    client: reqwest::Client,
}

impl Service {
    /// Starts the program on a database and waits until it is ready.
    pub async fn start(database: &TestDatabase) -> Self {
        Self::start_with(database, &[]).await
    }

    /// Likewise, with these variables besides.
    pub async fn start_with(database: &TestDatabase, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("stderr")).unwrap();
        let port = free_port();
        let mut command = Command::new("sh");
        command
            .args(["-c", WITH_MANY_FILES, env!("CARGO_BIN_EXE_usersync")])
            .env_clear()
            .env("DATABASE_URL", database.url())
            .env("USERSYNC_SCHEMA", &database.schema)
            .env("USERSYNC_BIND", format!("127.0.0.1:{port}"))
            .env("CLERK_WEBHOOK_SIGNING_SECRET", SECRET)
            .env("USERSYNC_READ_TOKEN", READ_TOKEN)
            .envs(variables.iter().copied())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().unwrap();
        let mut service = Self { port, command, child, directory, client: reqwest::Client::new() };
        service.until_ready().await;
        service
    }

    /// Waits until the service says that it is ready.
    pub async fn until_ready(&mut self) {
        let probe = self.client.get(format!("{}/readyz", self.origin()));
        until("the service is ready", READY_WITHIN, async || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the service ended: {ended:?}");
            let answer = probe.try_clone()?.send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Ends the process at once, as a power cut would (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the program again, after it ended, on the same port; does not wait.
    pub fn start_again(&mut self) {
        self.child = self.command.spawn().unwrap();
    }

    /// Asks the process to stop (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Holds the process where it is (SIGSTOP), as a machine does that is suspended.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused process go on.
    pub fn wake(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How the process ended; panics where it has not within the time.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        until("the service has ended", within, async || self.child.try_wait().unwrap()).await
    }

    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A sender that signs, with connections that it keeps.
    pub fn sender(&self) -> Sender {
        Sender { client: self.client.clone(), url: format!("{}/webhooks/clerk", self.origin()) }
    }

    /// `GET` with the read token.
    pub async fn get(&self, path: &str) -> Answer {
        let url = format!("{}{path}", self.origin());
        let request = self.client.get(url).bearer_auth(READ_TOKEN);
        Answer::of(request.send().await.unwrap()).await
    }

    /// The whole part of a metric that has no labels.
    pub async fn metric(&self, name: &str) -> u64 {
        let url = format!("{}/metrics", self.origin());
        let text = self.client.get(url).send().await.unwrap().text().await;
        let text = text.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        let value = line.unwrap_or_else(|| panic!("no metric {name} in {text}"));
        value.split('.').next().unwrap().parse().unwrap()
    }

    /// Everything that the process has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("stderr")).unwrap()
    }

    /// The memory that the process holds, in KiB.
    pub fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let digits = line.unwrap().trim().trim_end_matches(" kB");
        digits.parse().unwrap()
    }

    /// How many files and sockets the process has open.
    pub fn open_files(&self) -> usize {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        entries.unwrap().count()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port that is free now, below those which systems hand out to outgoing connections, so
/// that none of them takes it while the service is down.
fn free_port() -> u16 {
    loop {
        let [high, low, ..] = *Uuid::new_v4().as_bytes();
        let port = 10_000 + u16::from_be_bytes([high, low]) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
