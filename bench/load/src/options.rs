//! The command line of the load generator, read by `main`.

use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser as _};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use strum::{EnumString, VariantNames};

/// Signatures are valid for 300 s: long enough to prepare, warm up for so long and run for so long.
const LONGEST_RUN_SECONDS: f64 = 120.0;

#[derive(Clone, Copy, PartialEq, Eq, Debug, strum::Display, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Mix {
    Created,
    Updated,
    Mixed,
}

/// Where requests go. Only plain HTTP: the service is on the same machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    /// `host:port`, both to connect to and as the `host` header.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, &'static str> {
        let rest = url.strip_prefix("http://").ok_or("it must begin with http://")?;
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

fn command() -> Command {
    let option = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").default_value(default).help(help)
    };
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let at_least_1 = RangedU64ValueParser::<usize>::new().range(1..);
    let mixes = PossibleValuesParser::new(Mix::VARIANTS).try_map(|word| word.parse::<Mix>());
    Command::new("usersync-load")
        .about("Closed-loop load generator for signed Clerk webhooks")
        .after_help("The signing secret (whsec_...) is read from CLERK_WEBHOOK_SIGNING_SECRET.")
        .args([
            option("url", "http://127.0.0.1:8080/webhooks/clerk", "Where to post")
                .value_name("URL")
                .value_parser(Target::parse),
            option("connections", "16", "Keep-alive connections, each with one event in flight")
                .value_parser(at_least_1),
            option("events", "50000", "Stop after so many counted events").value_parser(at_least_1),
            option("seconds", "120", "Stop after so many seconds, at most 120")
                .value_parser(seconds),
            option("warmup", "0", "Events sent beforehand and not counted")
                .value_parser(value_parser!(usize)),
            option(
                "mix",
                "created",
                "New users, newer snapshots of existing ones, or both in turn",
            )
            .value_name("KIND")
            .value_parser(mixes),
            option("users", "10000", "Users 0 to N-1 exist, for the updates")
                .value_parser(value_parser!(u64).range(1..)),
            option("first", "0", "Number of the first new user").value_parser(value_parser!(u64)),
            option("seed", "1", "Where the walk over the users begins")
                .value_parser(value_parser!(u64)),
            flag("json", "Print one line of JSON"),
            flag("allow-errors", "Exit 0 in spite of answers other than 2xx"),
        ])
}

fn seconds(value: &str) -> Result<f64, String> {
    let seconds = value.parse().ok();
    seconds
        .filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST_RUN_SECONDS)
        .ok_or_else(|| format!("it must be more than 0 and at most {LONGEST_RUN_SECONDS}"))
}

/// Reads the arguments, of which the first is the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Options, clap::Error> {
    let command = command();
    let mut matches = command.try_get_matches_from(arguments)?;
    options(&mut matches).ok_or_else(|| clap::Error::new(clap::error::ErrorKind::Format))
}

/// `None` only if an argument had no default.
fn options(matches: &mut ArgMatches) -> Option<Options> {
    Some(Options {
        target: matches.remove_one("url")?,
        connections: matches.remove_one("connections")?,
        events: matches.remove_one("events")?,
        seconds: matches.remove_one("seconds")?,
        warmup: matches.remove_one("warmup")?,
        mix: matches.remove_one("mix")?,
        users: matches.remove_one("users")?,
        first: matches.remove_one("first")?,
        seed: matches.remove_one("seed")?,
        json: matches.get_flag("json"),
        allow_errors: matches.get_flag("allow-errors"),
    })
}

#[cfg(test)]
impl Default for Options {
    fn default() -> Self {
        parse([String::new()]).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(line: &str) -> Result<Options, clap::Error> {
        parse(["usersync-load"].into_iter().chain(line.split_whitespace()).map(str::to_owned))
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
