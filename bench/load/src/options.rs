//! The command line: a table of flags, parsed by hand, and the help text that describes them.

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Closed-loop load generator for signed Clerk webhooks.

Usage: usersync-load [OPTIONS]

The signing secret (whsec_...) is read from CLERK_WEBHOOK_SIGNING_SECRET.

  --url URL          where to post          [http://127.0.0.1:8080/webhooks/clerk]
  --connections N    keep-alive connections, each with one event in flight   [16]
  --events N         stop after so many counted events                    [50000]
  --seconds S        stop after so many seconds, at most 120                [120]
  --warmup N         events sent beforehand and not counted                   [0]
  --mix KIND         created: every event a new user
                     updated: each a newer snapshot of an existing user
                     mixed:   the two in turn                           [created]
  --users N          users 0 to N-1 exist, for the updates                [10000]
  --first N          number of the first new user                             [0]
  --seed N           where the walk over the users begins                     [1]
  --json             print one line of JSON
  --allow-errors     exit 0 in spite of answers other than 2xx
  --help             print this text
";

/// Signatures are valid for 300 s: long enough to prepare, warm up for so long and run for so long.
const LONGEST_RUN_SECONDS: f64 = 120.0;

/// Which events are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mix {
    Created,
    Updated,
    Mixed,
}

impl Mix {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Mixed => "mixed",
        }
    }

    fn parse(word: &str) -> Result<Self, String> {
        [Self::Created, Self::Updated, Self::Mixed]
            .into_iter()
            .find(|mix| mix.name() == word)
            .ok_or_else(|| format!("--mix is created, updated or mixed, not {word:?}"))
    }
}

/// Where requests go. Only plain HTTP: the service is on the same machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    /// `host:port`, both to connect to and as the `host` header.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| format!("--url must begin with http://, not {url:?}"))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let authority = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { authority, path: path.to_owned() })
    }
}

pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) connections: usize,
    pub(crate) events: usize,
    pub(crate) seconds: f64,
    pub(crate) warmup: usize,
    pub(crate) mix: Mix,
    pub(crate) users: u64,
    pub(crate) first: u64,
    pub(crate) seed: u64,
    pub(crate) json: bool,
    pub(crate) allow_errors: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target: Target {
                authority: "127.0.0.1:8080".to_owned(),
                path: "/webhooks/clerk".to_owned(),
            },
            connections: 16,
            events: 50_000,
            seconds: LONGEST_RUN_SECONDS,
            warmup: 0,
            mix: Mix::Created,
            users: 10_000,
            first: 0,
            seed: 1,
            json: false,
            allow_errors: false,
        }
    }
}

/// Reads the arguments, without the program's own name. `None`: help is asked for.
pub(crate) fn parse(
    mut arguments: impl Iterator<Item = String>,
) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(flag) = arguments.next() {
        match flag.as_str() {
            "--help" | "-h" => return Ok(None),
            "--json" => options.json = true,
            "--allow-errors" => options.allow_errors = true,
            _ => {
                let value =
                    arguments.next().ok_or_else(|| format!("{flag} needs a value (see --help)"))?;
                options.set(&flag, &value)?;
            }
        }
    }
    options.check()?;
    Ok(Some(options))
}

impl Options {
    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "--url" => self.target = Target::parse(value)?,
            "--mix" => self.mix = Mix::parse(value)?,
            "--connections" => self.connections = number(flag, value)?,
            "--events" => self.events = number(flag, value)?,
            "--seconds" => self.seconds = number(flag, value)?,
            "--warmup" => self.warmup = number(flag, value)?,
            "--users" => self.users = number(flag, value)?,
            "--first" => self.first = number(flag, value)?,
            "--seed" => self.seed = number(flag, value)?,
            _ => return Err(format!("unknown flag {flag} (see --help)")),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.connections == 0 || self.events == 0 || self.users == 0 {
            return Err("--connections, --events and --users must be at least 1".to_owned());
        }
        if !(self.seconds > 0.0 && self.seconds <= LONGEST_RUN_SECONDS) {
            return Err(format!("--seconds must be more than 0 and at most {LONGEST_RUN_SECONDS}"));
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag} needs a number, not {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(str::to_owned))?.ok_or_else(|| "help".to_owned())
    }

    #[test]
    fn reads_every_kind_of_flag() {
        let options = load(
            "--url http://127.0.0.1:9/hook --mix updated --connections 64 --seconds 2.5 --json",
        )
        .unwrap();
        assert_eq!(
            options.target,
            Target { authority: "127.0.0.1:9".to_owned(), path: "/hook".to_owned() }
        );
        assert_eq!((options.mix, options.connections, options.seconds), (Mix::Updated, 64, 2.5));
        assert!(options.json);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for line in [
            "--speed 3",
            "--events",
            "--events many",
            "--mix odd",
            "--seconds 121",
            "--url https://x/",
        ] {
            assert!(load(line).is_err(), "{line}");
        }
    }
}
