//! Many clients that are slow, or send nothing at all.
//!
//! They run in a process of their own, which may have as many files open as the system allows; the limit
//! of the test's own process may be too low for so many connections.

use super::now_seconds;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// Opens the connections, says `ready`, and writes a byte into each slow one several times a
/// second, until standard input is closed.
const SCRIPT: &str = r#"
ulimit -n "$(ulimit -Hn)"
trap '' PIPE
place=/dev/tcp/127.0.0.1/$1
slow=()
for ((i = 0; i < $2; i++)); do exec {idle}<>"$place"; done
for ((i = 0; i < $3; i++)); do
  exec {one}<>"$place"
  printf 'POST /webhooks/clerk HTTP/1.1\r\nhost: here\r\nx-slow: ' >&"$one"
  slow+=("$one")
done
for ((i = 0; i < $4; i++)); do
  exec {one}<>"$place"
  printf 'POST /webhooks/clerk HTTP/1.1\r\nhost: here\r\ncontent-length: 100000\r\n' >&"$one"
  printf 'svix-id: m\r\nsvix-timestamp: %s\r\nsvix-signature: v1,x\r\n\r\n{' "$5" >&"$one"
  slow+=("$one")
done
echo ready
while :; do
  for one in "${slow[@]}"; do printf x >&"$one"; done
  read -rt 0.3 && exit
  if [ $? -le 128 ]; then exit; fi
done 2>/dev/null
"#;

/// Connected for as long as this lives and the service lets them.
pub struct SlowClients(Child);

impl SlowClients {
    /// Connects `idle` clients that send nothing, and clients that are slow to send their
    /// `headers` or their `bodies`; returns once all are connected.
    pub fn connect(port: u16, idle: usize, headers: usize, bodies: usize) -> Self {
        let mut child = Command::new("bash")
            .args(["-c", SCRIPT, "slow-clients", &port.to_string()])
            .args([idle, headers, bodies].map(|count| count.to_string()))
            .arg(now_seconds().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = child.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the clients could not connect");
        Self(child)
    }
}

impl Drop for SlowClients {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
