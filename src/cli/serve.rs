//! `usersync serve`: runs the service until it is stopped. Also called by `dev`, with other
//! variables.

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

/// Serves until a signal, on the current actix system; calls `listening` once the port is open.
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

/// Every connection is an open file, and a process often starts with a limit of 1,024.
const FILE_LIMIT: u64 = 65_536;

fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(FILE_LIMIT) {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
}
