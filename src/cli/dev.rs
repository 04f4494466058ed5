//! `usersync dev`: a service to try things on, with nothing to set up.
//!
//! Loopback only, an embedded database, and secrets of its own that are kept in its data
//! directory. What the environment says of a real provider or database is not looked at.

use super::{Failure, output, serve};
use crate::app::App;
use crate::config::{Config, Needs, Source};
use crate::telemetry::logs;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Arg, ArgMatches, Command};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The user of the built-in events.
const SAMPLE_USER: &str = super::send::SAMPLE_USER;

pub(super) fn command() -> Command {
    Command::new("dev")
        .about("Serves on loopback with an embedded database and secrets of its own, to try it")
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIRECTORY")
                .default_value("data/dev")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Where database and secrets are kept"),
        )
        .arg(
            Arg::new("PORT")
                .long("port")
                .value_name("PORT")
                .help("Listen port on 127.0.0.1 [env: PORT] [default: 8080]"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let data = matches.get_one::<PathBuf>("data").cloned().unwrap_or_default();
    let env_file = data.join("env");
    let database_url = format!("sqlite://{}", data.join("usersync.db").display());
    keep_secrets(&data, &env_file, &database_url)
        .map_err(|error| Failure::Told(format!("{} cannot be used: {error}", data.display())))?;

    let mut source = Source::from_environment();
    source.forget_real_world();
    source.read_env_file(&env_file).map_err(Failure::Told)?;
    source.set("DATABASE_URL", format!("sqlite://{}", data.join("usersync.db").display()));
    source.set("USERSYNC_BIND", "127.0.0.1:8080".into());
    if let Some(port) = matches.get_one::<String>("PORT") {
        source.set("PORT", port.clone());
    }
    let config = Config::load(&source, Needs::SigningSecret)?;
    logs::start(&config);
    serve::serve(config, |app| print_how_to_try(app, &env_file))
}

/// Makes the directory and the secrets, unless they are there from last time.
fn keep_secrets(data: &Path, env_file: &Path, database_url: &str) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    if fs::exists(env_file)? {
        return Ok(());
    }
    // Two UUIDs of version 4 are 244 random bits.
    let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
    let signing_key = STANDARD.encode([one.into_bytes(), two.into_bytes()].concat());
    let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(env_file)?;
    writeln!(
        file,
        "# Secrets and database of `usersync dev`, for --env-file of the other commands."
    )?;
    writeln!(file, "CLERK_WEBHOOK_SIGNING_SECRET=whsec_{signing_key}")?;
    writeln!(file, "USERSYNC_ADMIN_TOKEN={token}")?;
    writeln!(file, "DATABASE_URL={database_url}")
}

fn print_how_to_try(app: &App, env_file: &Path) {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("usersync"));
    let here = std::env::current_dir().unwrap_or_default();
    let program = match program.strip_prefix(&here) {
        Ok(below) => PathBuf::from(".").join(below),
        Err(_) => program,
    };
    let program = program.display();
    let (origin, env_file) = (format!("http://{}", app.address()), env_file.display());
    let dot = if env_file.to_string().starts_with('/') { "" } else { "./" };
    output::line(&format!(
        "\nusersync dev listens on {origin}. In another terminal, sign and post an event:\n\n\
         \x20 {program} send user.created --env-file {env_file} --url {origin}/webhooks/clerk\n\n\
         and see the row:\n\n\
         \x20 (. {dot}{env_file}; curl -s -H \"Authorization: Bearer $USERSYNC_ADMIN_TOKEN\" {origin}/v1/users/{SAMPLE_USER})\n\n\
         Then try user.updated, user.deleted, or a file of your own. Ctrl-C stops.\n"
    ));
}
