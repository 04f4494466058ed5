//! `dev --clerk`: a development instance of Clerk is the provider, and only the database is ours.
//!
//! Called by `dev`. Refuses a production instance before anything is opened, and keeps no key of
//! the provider on disk.

use super::super::data_dir::DataDir;
use super::super::examples::ShellExamples;
use super::super::{Failure, output, serve, source};
use super::stay_at_home;
use clap::ArgMatches;
use std::path::{Path, PathBuf};
use usersync::app::{self, App};
use usersync::config::{Config, ProviderApi, Requirement};

pub(super) fn run(matches: &ArgMatches, directory: &Path) -> Result<(), Failure> {
    let mut source = source(matches)?;
    source.forget_real_database();
    check(&Config::load(&source, Requirement::Nothing)?)?;
    let data = DataDir::open(PathBuf::from(directory))?;
    let mut variables = data.variables()?;
    variables.title("Token and database of `usersync dev --clerk`. Clerk's keys are not kept.");
    source.set("USERSYNC_ADMIN_TOKEN", variables.keep_admin_token());
    variables.set("DATABASE_URL", &data.database_url());
    stay_at_home(&mut source, &data, matches);
    let config = Config::load(&source, Requirement::SigningSecret)?;
    app::start_logs(&config);
    usersync::app::block_on(serve::serve(config, |app| {
        variables.write()?;
        print_how_to_try(app, &data.env_file());
        Ok(())
    }))
}

/// What is missing, and where it is to be had; or that this is not the place for it.
fn check(config: &Config) -> Result<(), Failure> {
    if config.api.as_ref().is_some_and(ProviderApi::is_live) {
        return Err(Failure::Message(
            "CLERK_SECRET_KEY is of a production instance (`sk_live_…`), which `dev` never touches; \
             take the one of your development instance (`sk_test_…`), or run `usersync serve`"
                .into(),
        ));
    }
    let mut missing = Vec::new();
    if config.api.is_none() {
        missing.push(
            "  - CLERK_SECRET_KEY is not set; copy the secret key (`sk_test_…`) of your development instance \
             from the API keys page of Clerk's dashboard",
        );
    }
    if config.signing_secrets.active.is_empty() {
        missing.push(
            "  - CLERK_WEBHOOK_SIGNING_SECRET is not set; run `clerk webhooks listen`, add the relay address \
             that it shows as an endpoint on the Webhooks page of Clerk's dashboard, and copy that \
             endpoint's signing secret (`whsec_…`)",
        );
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Message(format!(
        "`dev --clerk` needs what your development instance of Clerk has, by environment or --env-file:\n{}",
        missing.join("\n")
    )))
}

fn print_how_to_try(app: &App, env_file: &Path) {
    let origin = format!("http://{}", app.address());
    let lines = ShellExamples::new(&origin, env_file);
    output::line(&format!(
        "\nusersync dev listens on {origin}. In another terminal, let Clerk's events come here:\n\n\
         \x20 clerk webhooks listen --forward-to {origin}/webhooks/clerk\n\n\
         then sign up in your application, and see the row:\n\n\
         \x20 {}\n\n\
         Ctrl-C stops.\n",
        lines.rows()
    ));
}
