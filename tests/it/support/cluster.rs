//! A PostgreSQL of a test's own, which it may stop and crash. Gone when dropped.

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

    /// Stops the server by `fast` or `immediate` shutdown, and starts it again.
    pub fn restart(&self, mode: &str) {
        assert_eq!(script("restart", &self.directory, Some(mode)), self.url);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
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
