//! `usersync serve`: the service.

use super::{Failure, configuration, configured, shutdown};
use crate::app::App;
use crate::config::{Config, Needs};
use clap::{ArgMatches, Command};

pub(super) fn command() -> Command {
    configured(Command::new("serve")).about("Serves (the default)")
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = configuration(matches, Needs::SigningSecret)?;
    serve(config, |_| {})
}

/// Serves until a signal comes; `listening` is called once the port is open.
pub(super) fn serve(config: Config, listening: impl FnOnce(&App)) -> Result<(), Failure> {
    let engine = config.database.engine();
    actix_web::rt::System::new().block_on(async {
        let app = App::build(config)?;
        let metrics = app.metrics_address().map(tracing::field::display);
        tracing::info!(address = %app.address(), metrics, engine, "listening");
        listening(&app);
        Ok(app.run_until_stopped(shutdown::requested()).await?)
    })
}
