//! `usersync dev`: a service to try things on, on loopback, with an embedded database and secrets
//! of its own in its data directory.
//!
//! Its provider is the emulator ([`with_emulator`]), and then no provider or database of the
//! environment is used; or, with `--clerk`, a development instance of Clerk ([`with_clerk`]).

mod with_clerk;
mod with_emulator;

use super::data_dir::DataDir;
use super::{Failure, env_file, flag, option};
use clap::{Arg, ArgMatches, Command, value_parser};
use std::path::PathBuf;
use usersync::config::ConfigSource;

pub(super) fn command() -> Command {
    let data =
        "Where database and secrets are kept [default: data/dev, with --clerk data/dev-clerk]";
    let emulator_port =
        "Listen port of the provider's emulator [default: the one after the service's]";
    let clerk = "Uses a development instance of Clerk, which CLERK_* describe, and no emulator";
    let command = Command::new("dev")
        .about("Serves on loopback with an embedded database and a provider of its own, to try it")
        .arg(option("data", "DIRECTORY", data).value_parser(value_parser!(PathBuf)))
        .arg(
            Arg::new("PORT")
                .long("port")
                .value_name("PORT")
                .help("Listen port on 127.0.0.1 [env: PORT] [default: 8080]"),
        )
        .arg(option("emulator-port", "PORT", emulator_port).value_parser(value_parser!(u16)))
        .arg(flag("clerk", clerk).conflicts_with("emulator-port"));
    env_file(command).mut_arg("env-file", |argument| argument.requires("clerk"))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let clerk = matches.get_flag("clerk");
    let default = if clerk { "data/dev-clerk" } else { "data/dev" };
    let data = matches.get_one::<PathBuf>("data").cloned().unwrap_or_else(|| default.into());
    if clerk {
        with_clerk::run(matches, &data)
    } else {
        let emulator_port = matches.get_one::<u16>("emulator-port").copied();
        with_emulator::run(matches, &DataDir::open(data)?, emulator_port)
    }
}

/// What holds with either provider: the database is its own, and nobody else can reach it.
fn stay_at_home(source: &mut ConfigSource, data: &DataDir, matches: &ArgMatches) {
    source.set("DATABASE_URL", data.database_url());
    source.set("USERSYNC_BIND", "127.0.0.1:8080".into());
    source.set("USERSYNC_MIGRATE", "auto".into());
    if let Some(port) = matches.get_one::<String>("PORT") {
        source.set("PORT", port.clone());
    }
}
