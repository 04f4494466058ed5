//! The service as a process of its own: it can be killed, suspended, asked to stop, and measured.

use super::app::sample_of;
use super::{ADMIN_TOKEN, READ_TOKEN, SECRET, TestClient, TestDatabase, until};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::fs::File;
use std::net::TcpListener;
use std::ops::Deref;
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;
use uuid::Uuid;

/// Raises the limit of open files as far as this user may, then becomes the program. A file that
/// reaches its limit is an error to it, as a full disk is, and no signal.
const WITH_MANY_FILES: &str = r#"ulimit -n "$(ulimit -Hn)"; trap '' XFSZ; exec "$0" serve"#;

/// `usersync serve` on a port that it keeps when it is started again.
pub struct AppProcess {
    pub port: u16,
    pub client: TestClient,
    command: Command,
    child: Child,
    directory: TempDir,
}

impl Deref for AppProcess {
    type Target = TestClient;

    fn deref(&self) -> &TestClient {
        &self.client
    }
}

impl AppProcess {
    pub(super) fn spawn(database: &TestDatabase, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let port = free_port();
        let mut command = Command::new("sh");
        command
            .args(["-c", WITH_MANY_FILES, env!("CARGO_BIN_EXE_usersync")])
            .env_clear()
            .env("DATABASE_URL", database.url())
            .env("USERSYNC_SCHEMA", &database.schema)
            .env("USERSYNC_BIND", format!("127.0.0.1:{port}"))
            .env("CLERK_WEBHOOK_SIGNING_SECRET", SECRET)
            .env("USERSYNC_ADMIN_TOKEN", ADMIN_TOKEN)
            .env("USERSYNC_READ_TOKEN", READ_TOKEN)
            .envs(variables.iter().copied())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap();
        let client = TestClient::of(format!("http://127.0.0.1:{port}"));
        Self { port, client, command, child, directory }
    }

    pub async fn until_ready(&mut self) {
        let probe = self.client.http.get(format!("{}/readyz", self.client.origin));
        until("the service is ready", async || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the service ended: {ended:?}");
            let answer = probe.try_clone()?.send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    pub fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
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

    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Suspends the process (SIGSTOP), as a machine does that is suspended. Waits until each of its
    /// threads stands still: one in a system call could still take a lock that a test gives back.
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
        let status = waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).unwrap();
        assert!(status.is_some_and(|(_, status)| status.stopped()), "{status:?}");
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub async fn ended(&mut self) -> ExitStatus {
        until("the service has ended", async || self.child.try_wait().unwrap()).await
    }

    /// Asks the process to stop and checks that it ends well; returns everything it has logged.
    pub async fn stop(&mut self) -> String {
        self.terminate();
        let status = self.ended().await;
        assert!(status.success(), "{status}: {}", self.log());
        self.log()
    }

    pub async fn metric(&self, name: &str) -> i64 {
        let answer = self.http.get(format!("{}/metrics", self.origin)).send().await.unwrap();
        sample_of(&answer.text().await.unwrap(), name)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// The first line of the log that holds this text, once it is there.
    pub async fn logged(&self, text: &str) -> String {
        until(text, async || {
            let log = self.log();
            log.lines().find(|line| line.contains(text)).map(str::to_owned)
        })
        .await
    }

    pub fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub fn open_files(&self) -> usize {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        entries.unwrap().count()
    }
}

impl Drop for AppProcess {
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
