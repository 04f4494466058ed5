//! `usersync demo`: shows in half a minute that the table agrees with the provider despite faults.
//!
//! Starts a [`service`] on an embedded database and lets the crate `usersync-demo` drive it and judge
//! it from outside. Exit status 0 only if both sides agree. Reads no variable of the process
//! environment.

mod service;
mod workdir;

use super::examples::ShellExamples;
use super::{Failure, flag, option, output, shutdown};
use clap::{ArgMatches, Command, value_parser};
use clerk_emulator::Emulator;
use service::Service;
use std::path::PathBuf;
use std::pin::pin;
use usersync_demo::{DemoError, Environment, Options, Report};
use workdir::Workdir;

/// The default seed: with it every fault occurs at least once.
const SEED: &str = "23";

pub(super) fn command() -> Command {
    let data = "Where the database is kept [default: a temporary directory]";
    Command::new("demo")
        .about("Signs up, changes and deletes users under faults, then compares provider and table")
        .arg(
            option("users", "N", "How many users sign up")
                .default_value("300")
                .value_parser(value_parser!(u32).range(1..=100_000)),
        )
        .arg(
            option("seed", "N", "What happens and what goes wrong derive from it")
                .default_value(SEED)
                .value_parser(value_parser!(u64)),
        )
        .arg(option("data", "DIRECTORY", data).value_parser(value_parser!(PathBuf)))
        .arg(flag("keep", "Keeps service and emulator running after the verdict, to look around"))
        .arg(flag("json", "Prints one line of JSON with all numbers"))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let keep = matches.get_flag("keep");
    let workdir = Workdir::open(matches.get_one::<PathBuf>("data").cloned(), keep)?;
    let options = Options {
        users: matches
            .get_one("users")
            .copied()
            .map_or(0, |users: u32| users.try_into().unwrap_or(0)),
        seed: matches.get_one("seed").copied().unwrap_or(0),
        quiet: matches.get_flag("json"),
    };
    usersync::app::block_on(async {
        let mut stop = pin!(shutdown::requested());
        let mut service = None;
        let start_service = async |emulator: &Emulator| {
            let started = Service::start(emulator, &workdir.data);
            let (running, address) = started.map_err(|error| DemoError(error.to_string()))?;
            service = Some(running);
            Ok(address)
        };
        let (environment, report) = tokio::select! {
            ended = Box::pin(usersync_demo::run(options, start_service)) => {
                ended.map_err(|error| Failure::Message(error.to_string()))?
            }
            () = &mut stop => return Err(Failure::Message("stopped before the end".into())),
        };
        print(&report, options.quiet);
        if keep {
            print_how_to_look(&environment, &workdir);
            stop.await;
        }
        if let Some(service) = service {
            service.stop().await?;
        }
        environment.emulator.stop().await;
        if report.agrees() {
            return Ok(());
        }
        Err(Failure::Message("provider and table do not agree".into()))
    })
}

fn print(report: &Report, as_json: bool) {
    output::line(&if as_json { report.json().to_string() } else { report.text() });
}

fn print_how_to_look(environment: &Environment, workdir: &Workdir) {
    let (origin, env_file) = (environment.origin(), workdir.data.env_file());
    let lines = ShellExamples::new(origin, &env_file);
    let text = format!(
        "\nThe service still listens on {origin}, the emulator on {}. Database and keys:\n\n\
         \x20 {}\n\
         \x20 {}\n\n\
         In another terminal, sign up a user:\n\n\
         \x20 {}\n\n\
         and read the table:\n\n\
         \x20 {}\n\n\
         Ctrl-C stops.\n",
        environment.emulator.credentials().api_url,
        workdir.data.file("usersync.db").display(),
        env_file.display(),
        lines.sign_up(),
        lines.rows()
    );
    output::error(&text);
}
