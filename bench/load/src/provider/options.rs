//! The command line of the provider.

use std::net::SocketAddr;
use std::time::Duration;

use crate::options::number;

/// What `usersync-load provider --help` prints.
pub(crate) const HELP: &str = "\
A provider's API for users, which answers at once.

Usage: usersync-load provider [OPTIONS]

Prints one line of JSON when it is ready: the address and a secret key that a service takes from a loopback address.
At the end (SIGTERM), and at GET /requests before it, it tells what it was asked, and how much of it again.

  --users N          how many users there are                           [1000000]
  --bind ADDRESS     where to listen; port 0 picks a free one       [127.0.0.1:0]
  --delay MS         wait so long before each answer                          [0]
  --help             print this text
";

/// The second of a user's id has 32 bits, of which this leaves enough.
const MOST_USERS: u64 = 1_000_000_000;

#[derive(Debug)]
pub(crate) struct Options {
    pub(super) users: u64,
    pub(super) bind: SocketAddr,
    pub(super) delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            users: 1_000_000,
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            delay: Duration::ZERO,
        }
    }
}

impl Options {
    /// Reads the arguments behind `provider`; nothing where help is asked for.
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        while let Some(flag) = arguments.next() {
            if matches!(flag.as_str(), "--help" | "-h") {
                return Ok(None);
            }
            let value = arguments.next();
            let value = value.ok_or_else(|| format!("{flag} needs a value (see --help)"))?;
            options.set(&flag, &value)?;
        }
        if options.users > MOST_USERS {
            return Err(format!("--users must be at most {MOST_USERS}"));
        }
        Ok(Some(options))
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "--users" => self.users = number(flag, value)?,
            "--delay" => self.delay = Duration::from_millis(number(flag, value)?),
            "--bind" => {
                let wrong = |_| format!("--bind needs an address and a port, not {value:?}");
                self.bind = value.parse().map_err(wrong)?;
            }
            _ => return Err(format!("unknown flag {flag} (see --help)")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Options>, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_its_flags_and_refuses_others() {
        let options = read("--users 7 --bind 127.0.0.1:81 --delay 20").unwrap().unwrap();
        assert_eq!((options.users, options.bind.port()), (7, 81));
        assert_eq!(options.delay, Duration::from_millis(20));
        assert!(read("--users 7 --help").unwrap().is_none());
        for line in ["--users", "--users many", "--users 1000000001", "--bind here", "--seed 1"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
