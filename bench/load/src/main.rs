//! `usersync-load`: a closed-loop load generator for signed Clerk webhooks.
//!
//! It shares the machine with the service that it loads and with the database, so it does as little as it can
//! while the clock runs: every request is generated, signed and laid out in memory beforehand, and one thread
//! writes those bytes to keep-alive connections and reads the answers. The path of an event through the files:
//! `options` says what is wanted, `plan` which event comes when, `request` writes it, signs it and lays it out, `run` sends it over a `connection`, `response` reads the answer, `report` adds up.

#![expect(clippy::print_stdout, reason = "it is a command-line program")]
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "sizes and offsets are this program's own; a mistake ends a measurement and nothing else"
)]

mod connection;
mod options;
mod plan;
mod report;
mod request;
mod response;
mod run;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clerk_emulator::SigningSecret;

use crate::options::Options;
use crate::report::Report;
use crate::request::Requests;

const SECRET_VARIABLE: &str = "CLERK_WEBHOOK_SIGNING_SECRET";

fn main() -> ExitCode {
    let options = options::parse(std::env::args()).unwrap_or_else(|error| error.exit());
    match load(&options) {
        Ok(report) => conclude(&options, &report),
        Err(message) => refuse(&message),
    }
}

/// Prepares every request, then runs the timed part on this one thread.
fn load(options: &Options) -> Result<Report, String> {
    let secret = SigningSecret::parse(&secret()?)
        .ok_or_else(|| format!("{SECRET_VARIABLE} is no signing secret (whsec_…)"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    let requests = Requests::build(options, &secret, now());
    let mean_bytes = requests.mean_body_bytes();
    let measured = runtime.block_on(run::run(options, requests))?;
    Ok(Report::new(measured, mean_bytes))
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn secret() -> Result<String, String> {
    std::env::var(SECRET_VARIABLE).map_err(|_| format!("set {SECRET_VARIABLE} (whsec_…)"))
}

/// The time since the Unix epoch, with which the events are signed.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the calendar clock")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn conclude(options: &Options, report: &Report) -> ExitCode {
    if options.json {
        println!("{}", report.json(options));
    } else {
        print!("{}", report.text(options));
    }
    if report.has_errors() && !options.allow_errors { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("usersync-load: {message}");
    ExitCode::from(2)
}
