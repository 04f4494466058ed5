//! `usersync migrate`: brings the schema up to date, for services that run with
//! `USERSYNC_MIGRATE=check`.

use super::{DATABASE_VARIABLES, Failure, configuration, configured_by, flag, output};
use clap::{ArgMatches, Command};
use usersync::config::Requirement;
use usersync::store::Store;

pub(super) fn command() -> Command {
    let check = "Changes nothing; exit status 1 where the schema is older than this release";
    configured_by(Command::new("migrate"), &[DATABASE_VARIABLES])
        .about("Brings the database schema up to date")
        .arg(flag("check", check))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = configuration(matches, Requirement::Nothing)?;
    let store = Store::new(&config.database);
    if matches.get_flag("check") {
        if store.is_current()? {
            output::line("the schema is up to date");
            return Ok(());
        }
        return Err(Failure::Message(
            "the schema is older than this release; run `usersync migrate`".into(),
        ));
    }
    match store.migrate()? {
        0 => output::line("the schema was up to date already"),
        count => output::line(&format!("applied {count} migration(s)")),
    }
    Ok(())
}
