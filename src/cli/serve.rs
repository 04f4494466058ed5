//! `usersync serve`: the service.

use super::{Failure, configuration, configured, shutdown};
use clap::{ArgMatches, Command};
use usersync::app::App;
use usersync::config::{Config, Requirement};

pub(super) fn command() -> Command {
    configured(Command::new("serve")).about("Serves (the default)")
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = configuration(matches, Requirement::SigningSecret)?;
    usersync::app::block_on(serve(config, |_| Ok(())))
}

/// Serves until a signal comes, on the current system; `listening` is called once the port is
/// open.
pub(super) async fn serve(
    config: Config,
    listening: impl FnOnce(&App) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let engine = config.database.engine();
    raise_file_limit();
    let app = App::build(config)?;
    let metrics = app.metrics_address().map(tracing::field::display);
    tracing::info!(address = %app.address(), metrics, engine, "listening");
    listening(&app)?;
    Ok(app.run_until_stopped(shutdown::requested()).await?)
}

/// How many open files are asked for: every connection is one, and the limit that a process is
/// born with is often 1,024.
const FILE_LIMIT: u64 = 65_536;

fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(FILE_LIMIT) {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
}
