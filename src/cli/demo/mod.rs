//! `usersync demo`: shows in half a minute that the table agrees with the provider despite faults.
//!
//! Starts a service on an embedded database and an emulator with heavy faults ([`environment`]),
//! signs up, changes and deletes users ([`scenario`], [`run`]), runs a [`reconcile`] job, compares
//! both sides ([`comparison`]) and prints a [`report`]. Exit status 0 only if both agree. Reads no
//! variable of the process environment.

mod comparison;
mod environment;
mod progress;
mod reconcile;
mod report;
mod run;
mod scenario;
mod service_client;
mod workdir;

use super::examples::ShellExamples;
use super::{Failure, output, shutdown};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use comparison::{ComparisonResult, Sides};
use environment::{Environment, start_emulator};
use progress::Progress;
use report::Report;
use run::Run;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Instant;
use workdir::Workdir;

/// The default seed: with it every fault occurs at least once.
const SEED: &str = "6";

pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("demo")
        .about("Signs up, changes and deletes users under faults, then compares provider and table")
        .arg(
            value("users", "N", "How many users sign up")
                .default_value("300")
                .value_parser(value_parser!(u32).range(1..=100_000)),
        )
        .arg(
            value("seed", "N", "What happens and what goes wrong derive from it")
                .default_value(SEED)
                .value_parser(value_parser!(u64)),
        )
        .arg(
            value(
                "data",
                "DIRECTORY",
                "Where the database is kept [default: a temporary directory]",
            )
            .value_parser(value_parser!(PathBuf)),
        )
        .arg(flag("keep", "Keeps service and emulator running after the verdict, to look around"))
        .arg(flag("json", "Prints one line of JSON with all numbers"))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let keep = matches.get_flag("keep");
    let workdir = Workdir::open(matches.get_one::<PathBuf>("data").cloned(), keep)?;
    usersync::app::block_on(async {
        let mut stop = pin!(shutdown::requested());
        let (environment, report) = tokio::select! {
            shown = Box::pin(show(matches, &workdir)) => shown?,
            () = &mut stop => return Err(Failure::Message("stopped before the end".into())),
        };
        print(&report, matches.get_flag("json"));
        if keep {
            print_how_to_look(&environment, &workdir);
            stop.await;
        }
        environment.stop().await?;
        if report.agrees() {
            return Ok(());
        }
        Err(Failure::Message("provider and table do not agree".into()))
    })
}

/// Runs all phases up to the report.
async fn show(matches: &ArgMatches, workdir: &Workdir) -> Result<(Environment, Report), Failure> {
    let began = Instant::now();
    let users = matches.get_one::<u32>("users").copied().unwrap_or(0);
    let seed = matches.get_one::<u64>("seed").copied().unwrap_or(0);
    let progress = Progress { quiet: matches.get_flag("json") };
    let steps = scenario::scenario(usize::try_from(users).unwrap_or(0), seed);
    let emulator = start_emulator(seed)?;

    let phase = progress.phase("users sign up and change", steps.len());
    let mut run = Run::new(steps);
    run.begin(&emulator, &phase).await?;
    let environment = Environment::start(emulator, &workdir.data).await?;
    let summary = run.finish(&environment, &phase).await?;
    phase.over("users signed up, changed and were deleted, some before the service started");

    let phase = progress.phase("events and write-backs", 0);
    environment.wait_until_idle(&phase).await?;
    phase.over("all events that were not dropped are delivered and written back");

    let phase = progress.phase("reconcile", environment.emulator.users().len());
    let reconciled = reconcile::reconcile(&environment, &phase).await?;
    phase.over("a reconcile compared every user and repaired what was lost");

    let phase = progress.phase("write-backs after the reconcile", 0);
    environment.wait_until_idle(&phase).await?;
    phase.over("all repairs are written back");

    let mut comparison = compare(&environment, &summary).await?;
    comparison.check_missing_tombstones(environment.emulator.counts().faults_of("dropped"));
    let (counts, metrics) = (environment.emulator.counts(), environment.client.metrics().await?);
    let seconds = began.elapsed().as_secs_f64();
    let report = Report { seed, seconds, summary, counts, metrics, reconciled, comparison };
    Ok((environment, report))
}

async fn compare(
    environment: &Environment,
    summary: &run::RunSummary,
) -> Result<ComparisonResult, Failure> {
    let (live, issued) = (environment.emulator.users(), environment.emulator.issued_ids());
    let rows = environment.client.rows().await?;
    let sides = Sides { live: &live, issued: &issued, rows: &rows, chosen: &summary.chosen };
    Ok(sides.compare())
}

fn print(report: &Report, as_json: bool) {
    if as_json {
        return output::line(&report.json().to_string());
    }
    output::line(&report.table());
    for discrepancy in &report.comparison.discrepancies {
        output::line(&report::describe(discrepancy));
    }
    output::line(&report.verdict());
}

fn print_how_to_look(environment: &Environment, workdir: &Workdir) {
    let (origin, env_file) = (environment.client.origin(), workdir.data.env_file());
    let lines = ShellExamples::new(origin, &env_file);
    let text = format!(
        "\nThe service still listens on {origin}, the emulator on {}. Database and keys:\n\n\
         \x20 {}\n\
         \x20 {}\n\n\
         In another terminal, sign up a user:\n\n\
         \x20 {}\n\n\
         and read the table:\n\n\
         \x20 {}\n\n\
         Ctrl-C stops.\n",
        environment.emulator.credentials().api_url,
        workdir.data.file("usersync.db").display(),
        env_file.display(),
        lines.sign_up(),
        lines.rows()
    );
    output::error(&text);
}
