//! `usersync emulate`: runs the emulator of the provider on loopback until it is stopped.
//!
//! Reads no variable of the environment, so that it never meets real keys or a real database.

use super::{Failure, flag, option, output, shutdown};
use clap::{ArgMatches, Command, value_parser};
use clerk_emulator::{Credentials, Emulator, EmulatorError, Faults, Settings};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;

/// The line that `--json` prints.
#[derive(Serialize)]
struct Ready<'a> {
    api_url: &'a str,
    secret_key: &'a str,
    publishable_key: &'a str,
    jwt_key: &'a str,
    webhook_secret: &'a str,
}

pub(super) fn command() -> Command {
    let bind = "Loopback address to listen on; port 0 picks a free one";
    let deliver_to = "Where signed events are posted to; none are sent unless given";
    let users = "How many invented users there are at the start; no events are sent for them";
    let seed = "Repeats a run: ids, keys and faults derive from it; random unless given";
    let faults = "What goes wrong: deliveries are doubled, reordered, late or lost, requests \
                  limited, failed or slow";
    let latency = "How many milliseconds each answer of the API is late";
    Command::new("emulate")
        .about(
            "Emulates the provider: Backend API, session tokens and signed webhooks, on loopback",
        )
        .arg(option("bind", "ADDRESS", bind).default_value("127.0.0.1:8081"))
        .arg(option("deliver-to", "URL", deliver_to))
        .arg(option("users", "N", users).default_value("0").value_parser(value_parser!(u32)))
        .arg(option("seed", "N", seed).value_parser(value_parser!(u64)))
        .arg(
            option("faults", "HOW MANY", faults)
                .default_value("none")
                .value_parser(["none", "light", "heavy"]),
        )
        .arg(option("latency", "MS", latency).default_value("0").value_parser(value_parser!(u64)))
        .arg(flag("json", "Prints one line of JSON with address and keys once it is ready"))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let settings = settings(matches)?;
    let delivers = settings.deliver_to.is_some();
    usersync::app::block_on(async {
        let failed = |error: EmulatorError| Failure::Message(error.to_string());
        let emulator = Emulator::start(settings).map_err(failed)?;
        if matches.get_flag("json") {
            print_ready(emulator.credentials());
        } else {
            print_how_to_try(&emulator, delivers);
        }
        shutdown::requested().await;
        emulator.stop().await;
        Ok(())
    })
}

fn settings(matches: &ArgMatches) -> Result<Settings, Failure> {
    let bind = matches.get_one::<String>("bind").map_or("", String::as_str);
    let bind: SocketAddr = bind.parse().map_err(|_| {
        Failure::Message(format!("--bind {bind:?} is no address; it looks like 127.0.0.1:8081"))
    })?;
    let users = matches.get_one::<u32>("users").copied().unwrap_or(0);
    let defaults = Settings::default();
    let faults = match matches.get_one::<String>("faults").map(String::as_str) {
        Some("light") => Faults::Light,
        Some("heavy") => Faults::Heavy,
        _ => Faults::None,
    };
    Ok(Settings {
        bind,
        deliver_to: matches.get_one::<String>("deliver-to").cloned(),
        users: usize::try_from(users).unwrap_or(0),
        seed: matches.get_one::<u64>("seed").copied().unwrap_or(defaults.seed),
        latency: Duration::from_millis(matches.get_one::<u64>("latency").copied().unwrap_or(0)),
        retries: faults.retries(),
        faults,
        ..defaults
    })
}

fn print_ready(credentials: &Credentials) {
    let ready = Ready {
        api_url: &credentials.api_url,
        secret_key: &credentials.secret_key,
        publishable_key: &credentials.publishable_key,
        jwt_key: &credentials.jwt_key,
        webhook_secret: &credentials.webhook_secret,
    };
    output::line(&serde_json::to_string(&ready).unwrap_or_default());
}

fn print_how_to_try(emulator: &Emulator, delivers: bool) {
    let (keys, seed) = (emulator.credentials(), emulator.seed());
    let Credentials { api_url, secret_key, publishable_key, webhook_secret, .. } = keys;
    let missing = if delivers {
        ""
    } else {
        "\nNo event is sent: add --deliver-to http://127.0.0.1:8080/webhooks/clerk, the address\n\
         of `usersync serve`.\n"
    };
    output::line(&format!(
        "\nusersync emulate runs the provider's emulator on {api_url} (seed {seed}). For `usersync serve`:\n\n\
         export CLERK_API_URL='{api_url}'\n\
         export CLERK_SECRET_KEY='{secret_key}'\n\
         export CLERK_PUBLISHABLE_KEY='{publishable_key}'\n\
         export CLERK_WEBHOOK_SIGNING_SECRET='{webhook_secret}'\n\n\
         Sign up a user:\n\n\
         curl -s {api_url}/v1/users -H 'Authorization: Bearer {secret_key}' \\\n\
         \x20 -d '{{\"email_address\":[\"ada@example.org\"],\"first_name\":\"Ada\"}}'\n{missing}\n\
         Everything is forgotten at the end. Ctrl-C stops.\n"
    ));
}
