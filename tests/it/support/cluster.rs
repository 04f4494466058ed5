//! A PostgreSQL of a test's own, which it may stop and crash. Gone when dropped.

use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

pub struct Cluster {
    pub url: String,
    directory: TempDir,
}

impl Cluster {
    /// A new cluster with the settings of a production server: commits survive a crash.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = script("start", &directory, None);
        Self { url, directory }
    }

    pub fn stop(&self) {
        script("stop", &self.directory, None);
    }

    pub fn start_again(&self) {
        assert_eq!(script("start", &self.directory, None), self.url);
    }

    /// Suspends every process of the server (SIGSTOP): it takes connections, and answers nothing.
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        for pid in self.pids() {
            // A backend may have ended meanwhile.
            kill_process(Pid::from_raw(pid).unwrap(), signal).ok();
        }
    }

    /// The server, whose first line of this file names it, and the processes it forked.
    pub fn pids(&self) -> Vec<i32> {
        let pid = std::fs::read_to_string(self.data_directory().join("postmaster.pid")).unwrap();
        let server: i32 = pid.lines().next().unwrap().parse().unwrap();
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
        [server].into_iter().chain(children).collect()
    }

    pub fn data_directory(&self) -> PathBuf {
        let home = std::fs::read_to_string(self.directory.path().join("elsewhere"));
        let home = home.map_or(self.directory.path().to_owned(), |home| home.trim().into());
        home.join("data")
    }

    /// Stops the server by `fast` or `immediate` shutdown, and starts it again.
    pub fn restart(&self, mode: &str) {
        assert_eq!(script("restart", &self.directory, Some(mode)), self.url);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.resume();
        script("destroy", &self.directory, None);
    }
}

fn script(verb: &str, directory: &TempDir, mode: Option<&str>) -> String {
    let output = Command::new("bash")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/postgres"))
        .arg(verb)
        .arg(directory.path())
        .args(mode)
        .output()
        .unwrap();
    assert!(output.status.success(), "{verb}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
