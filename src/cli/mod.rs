//! The command line: one file per subcommand.
//!
//! Called by `main` alone. A subcommand reads its flags, builds the [`Config`] that it needs, calls
//! the library and prints the result. Exit status 0 only on success.

mod data_dir;
mod demo;
mod dev;
mod emulate;
mod examples;
mod import;
mod jobs;
mod migrate;
mod output;
mod replay;
mod send;
mod serve;
mod shutdown;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use usersync::app::{self, AppError, PREPARE_BACKOFF};
use usersync::config::{
    Config, ConfigError, ConfigSource, Requirement, VARIABLES, Variable, VariableInput,
};
use usersync::domain::{JobKind, Timestamp};
use usersync::store::{Store, StoreError};

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Message(String),
}

/// `arguments` begins with the program's name.
pub(super) fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are errors for clap, but go to standard output.
            error.print().ok();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let result = match matches.subcommand() {
        Some(("demo", matches)) => demo::run(matches),
        Some(("dev", matches)) => dev::run(matches),
        Some(("emulate", matches)) => emulate::run(matches),
        Some(("send", matches)) => send::run(matches),
        Some(("import", matches)) => import::run(matches),
        Some(("backfill", matches)) => jobs::run(JobKind::Backfill, matches),
        Some(("reconcile", matches)) => jobs::run(JobKind::Reconcile, matches),
        Some(("drift", matches)) => jobs::run(JobKind::Drift, matches),
        Some(("migrate", matches)) => migrate::run(matches),
        Some(("replay", matches)) => replay::run(matches),
        Some((_, matches)) => serve::run(matches),
        None => serve::run(&matches),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&format!("usersync: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let about = "Keeps an application's own users table in step with its identity provider";
    configured(Command::new("usersync"))
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .long_about(format!("{about}.\n\nWithout a subcommand it serves."))
        .args_conflicts_with_subcommands(true)
        .subcommand(serve::command())
        .subcommand(demo::command())
        .subcommand(dev::command())
        .subcommand(emulate::command())
        .subcommand(send::command())
        .subcommand(import::command())
        .subcommand(jobs::backfill_command())
        .subcommand(jobs::reconcile_command())
        .subcommand(jobs::drift_command())
        .subcommand(migrate::command())
        .subcommand(replay::command())
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// Variables of every subcommand that opens the database.
const DATABASE_VARIABLES: &[&str] =
    &["DATABASE_URL", "USERSYNC_SCHEMA", "USERSYNC_LOG_FORMAT", "RUST_LOG"];

/// What decides about a row.
const ROW_VARIABLES: &[&str] = &[
    "USERSYNC_ROLES",
    "USERSYNC_DEFAULT_ROLE",
    "USERSYNC_PLANS",
    "USERSYNC_DEFAULT_PLAN",
    "USERSYNC_USER_ID",
];

const METADATA_VARIABLES: &[&str] =
    &["USERSYNC_METADATA_ID", "USERSYNC_METADATA_ROLE", "USERSYNC_METADATA_PLAN"];

/// Adds the flags of all variables, and lists those without a flag.
fn configured(command: Command) -> Command {
    let all: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    configured_by(command, &[&all])
}

/// Adds the flags of the named variables, and lists those without a flag.
fn configured_by(command: Command, groups: &[&[&str]]) -> Command {
    let names = groups.concat();
    let variables = || VARIABLES.iter().filter(|variable| names.contains(&variable.name));
    let flags = variables().filter_map(|variable| {
        let flag = variable.flag()?;
        let mut help = format!("{} [env: {}]", variable.meaning, variable.name);
        if !variable.default.is_empty() {
            // Writing to a string cannot fail.
            write!(help, " [default: {}]", variable.default).ok();
        }
        Some(Arg::new(variable.name).long(flag).value_name("VALUE").help(help))
    });
    env_file(command.args(flags)).after_help(environment_help(variables()))
}

fn env_file(command: Command) -> Command {
    let help = "Reads variables from a dotenv file, over those of the environment";
    command.arg(option("env-file", "FILE", help).value_parser(value_parser!(PathBuf)))
}

fn environment_help<'a>(variables: impl Iterator<Item = &'a Variable>) -> String {
    let mut text =
        String::from("By environment only (secrets also as a file's path in NAME_FILE):\n");
    for variable in variables.filter(|variable| variable.input != VariableInput::Flag) {
        let default = match variable.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        // Writing to a string cannot fail.
        writeln!(text, "  {}\n          {}{default}", variable.name, variable.meaning).ok();
    }
    text
}

fn source(matches: &ArgMatches) -> Result<ConfigSource, Failure> {
    let mut source = ConfigSource::from_environment();
    if let Some(path) = matches.get_one::<PathBuf>("env-file") {
        source.read_env_file(path).map_err(Failure::Message)?;
    }
    for variable in VARIABLES {
        if let Ok(Some(value)) = matches.try_get_one::<String>(variable.name) {
            source.set(variable.name, value.clone());
        }
    }
    Ok(source)
}

fn configuration(matches: &ArgMatches, requirement: Requirement) -> Result<Config, Failure> {
    let config = Config::load(&source(matches)?, requirement)?;
    app::start_logs(&config);
    Ok(config)
}

/// How often a subcommand tries again to prepare a database that is away or busy: about 8 s.
const PREPARE_REPEATS: u32 = 9;

/// The database, with the schema of this release.
fn prepared(config: &Config) -> Result<Store, Failure> {
    let store = Store::new(&config.database);
    for repeat in 0.. {
        match app::prepare_once(&store, config.migrate) {
            Err(StoreError::Away(_)) if repeat < PREPARE_REPEATS => {
                std::thread::sleep(PREPARE_BACKOFF.bound(repeat));
            }
            Err(error) => return Err(error.into()),
            Ok(_) => break,
        }
    }
    Ok(store)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line is an edge: its time is taken here"
)]
fn now() -> Timestamp {
    jiff::Timestamp::now().into()
}

/// For subcommands that do not serve.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Message(format!("no runtime could be started: {error}")))?
        .block_on(work)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_well_formed() {
        super::command().debug_assert();
    }
}
