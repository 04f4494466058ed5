//! `dev` without flags: the emulator is the provider.
//!
//! Called by `dev`. Users, ids and keys of the emulator survive a restart, as rows do.

use super::super::data_dir::{DataDir, EnvFile};
use super::super::examples::ShellExamples;
use super::super::output;
use super::super::{Failure, serve};
use super::stay_at_home;
use clap::ArgMatches;
use clerk_emulator::{Credentials, Emulator, EmulatorError, MARK, Settings};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use usersync::app::{self, App};
use usersync::config::{Config, ConfigSource, Requirement, bind_address};

pub(super) fn run(
    matches: &ArgMatches,
    data: &DataDir,
    emulator_port: Option<u16>,
) -> Result<(), Failure> {
    let mut variables = data.variables()?;
    let mut source = ConfigSource::from_environment();
    source.forget_real_world();
    stay_at_home(&mut source, data, matches);
    let port = bind_address(&source)?.port();
    refuse_real_keys(data, &variables)?;
    let emulator_port = emulator_port.unwrap_or_else(|| next_port(port));
    usersync::app::block_on(async {
        let emulator = start(data, &variables, emulator_port)?;
        variables
            .title("Secrets and database of `usersync dev`, for --env-file of the other commands.");
        variables.keep_emulator(emulator.credentials(), data);
        variables.keep_admin_token();
        for name in ENV_FILE_VARIABLES {
            source.set(name, variables.get(name).unwrap_or_default().to_owned());
        }
        source.set("USERSYNC_API_BUDGET", "off".into());
        let config = Config::load(&source, Requirement::SigningSecret)?;
        app::start_logs(&config);
        let served = serve::serve(config, |app| {
            variables.write()?;
            emulator.deliver_to(Some(format!("http://{}/webhooks/clerk", app.address())));
            print_how_to_try(app, &data.env_file());
            Ok(())
        });
        let served = served.await;
        emulator.stop().await;
        served
    })
}

/// A file with real keys is somebody else's: nothing of it is to be used or changed.
fn refuse_real_keys(data: &DataDir, kept: &EnvFile) -> Result<(), Failure> {
    if kept.get("CLERK_SECRET_KEY").is_some_and(|key| !key.contains(MARK)) {
        let file = data.env_file();
        return Err(Failure::Message(format!(
            "{} holds a key that is not the emulator's; choose another directory with --data",
            file.display()
        )));
    }
    Ok(())
}

/// Next to the service's; a port that the system picks has no neighbour.
fn next_port(port: u16) -> u16 {
    if port == 0 { 0 } else { port.checked_add(1).unwrap_or(0) }
}

fn start(data: &DataDir, kept: &EnvFile, port: u16) -> Result<Emulator, Failure> {
    let text = |name| kept.get(name).map(str::to_owned);
    let credentials = Credentials {
        secret_key: text("CLERK_SECRET_KEY").unwrap_or_default(),
        webhook_secret: text("CLERK_WEBHOOK_SIGNING_SECRET").unwrap_or_default(),
        ..Credentials::default()
    };
    let settings = Settings {
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        state_file: Some(data.file("emulator.json")),
        credentials: Some(credentials),
        ..Settings::default()
    };
    Emulator::start(settings).map_err(|error| match error {
        EmulatorError::Bind(..) => Failure::Message(format!(
            "{error}; does another `usersync dev` run? --emulator-port chooses another port"
        )),
        error => Failure::Message(error.to_string()),
    })
}

/// Written to the env file, which other commands take with `--env-file`.
const ENV_FILE_VARIABLES: [&str; 5] = [
    "CLERK_WEBHOOK_SIGNING_SECRET",
    "CLERK_SECRET_KEY",
    "CLERK_API_URL",
    "CLERK_PUBLISHABLE_KEY",
    "USERSYNC_ADMIN_TOKEN",
];

fn print_how_to_try(app: &App, env_file: &Path) {
    let origin = format!("http://{}", app.address());
    let lines = ShellExamples::new(&origin, env_file);
    output::line(&format!(
        "\nusersync dev listens on {origin}. In another terminal, sign up a user at the provider's emulator:\n\n\
         \x20 {}\n\n\
         see the row:\n\n\
         \x20 {}\n\n\
         and ask with a session token who is signed in:\n\n\
         \x20 {}\n\n\
         Or sign and post an event yourself (user.created, user.updated, user.deleted, or a file):\n\n\
         \x20 {}\n\n\
         Ctrl-C stops.\n",
        lines.sign_up(),
        lines.row(),
        lines.who_am_i(),
        lines.send()
    ));
}
