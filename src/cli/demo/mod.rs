//! `usersync demo`: shows in half a minute that the table ends right, whatever goes wrong.
//!
//! A service on an embedded database and the emulator with all its faults ([`stage`]); users sign
//! up, change and go ([`script`], [`play`]); what was lost is healed ([`healing`]); then both
//! sides are compared ([`comparison`]), and the [`report`] says what happened. Exit status 0 only
//! where they agree. Looks at nothing of the environment.

mod caller;
mod comparison;
mod healing;
mod place;
mod plant;
mod play;
mod progress;
mod report;
mod script;
mod stage;

use super::examples::ShellExamples;
use super::{Failure, output, shutdown};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use comparison::{Compared, Sides};
use place::Place;
use play::Play;
use progress::Progress;
use report::Report;
use stage::{Backstage, Stage};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Instant;

/// The seed of a run for which none is given: with it everything goes wrong at least once.
const SEED: &str = "6";

pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("demo")
        .about("Signs up, changes and deletes users while everything goes wrong, then compares")
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
        .arg(flag("plant", "Changes a row behind the service's back, to see it found").hide(true))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let keep = matches.get_flag("keep");
    let place = Place::open(matches.get_one::<PathBuf>("data").cloned(), keep)?;
    usersync::app::block_on(async {
        let mut stop = pin!(shutdown::requested());
        let (stage, report) = tokio::select! {
            shown = Box::pin(show(matches, &place)) => shown?,
            () = &mut stop => return Err(Failure::Message("stopped before the end".into())),
        };
        print(&report, matches.get_flag("json"));
        if keep {
            print_how_to_look(&stage, &place);
            stop.await;
        }
        stage.clear().await?;
        if report.agrees() {
            return Ok(());
        }
        Err(Failure::Message("provider and table do not agree".into()))
    })
}

/// Everything up to the verdict.
async fn show(matches: &ArgMatches, place: &Place) -> Result<(Stage, Report), Failure> {
    let began = Instant::now();
    let users = matches.get_one::<u32>("users").copied().unwrap_or(0);
    let seed = matches.get_one::<u64>("seed").copied().unwrap_or(0);
    let progress = Progress { quiet: matches.get_flag("json") };
    let steps = script::script(usize::try_from(users).unwrap_or(0), seed);
    let backstage = Backstage::open(seed)?;

    let phase = progress.phase("users come, change and go", steps.len());
    let mut play = Play::new(steps);
    play.begin(&backstage.emulator, &phase).await?;
    let stage = backstage.raise(&place.data).await?;
    let played = play.go_on(&stage, &phase).await?;
    phase.over("users signed up, changed and went, some before the service was there");

    let phase = progress.phase("events and write-backs", 0);
    stage.quiet(&phase).await?;
    phase.over("what was not dropped is delivered and written back");

    let phase = progress.phase("reconcile", stage.emulator.users().len());
    let healed = healing::heal(&stage, &phase).await?;
    phase.over("a reconcile compared every user and healed what was lost");

    let phase = progress.phase("write-backs of what was healed", 0);
    stage.quiet(&phase).await?;
    phase.over("what was healed is written back");

    if matches.get_flag("plant") {
        plant::change_a_row(&stage).await?;
    }
    let mut compared = compare(&stage, &played).await?;
    compared.doubt_silence(stage.emulator.counts().faults_of("dropped"));
    let (counts, metrics) = (stage.emulator.counts(), stage.caller.metrics().await?);
    let seconds = began.elapsed().as_secs_f64();
    let report = Report { seed, seconds, played, counts, metrics, healed, compared };
    Ok((stage, report))
}

async fn compare(stage: &Stage, played: &play::Played) -> Result<Compared, Failure> {
    let (live, issued) = (stage.emulator.users(), stage.emulator.issued_ids());
    let rows = stage.caller.rows().await?;
    let sides = Sides { live: &live, issued: &issued, rows: &rows, chosen: &played.chosen };
    Ok(sides.compare())
}

fn print(report: &Report, as_json: bool) {
    if as_json {
        return output::line(&report.json().to_string());
    }
    output::line(&report.table());
    for discrepancy in &report.compared.discrepancies {
        output::line(&report::told(discrepancy));
    }
    output::line(&report.verdict());
}

fn print_how_to_look(stage: &Stage, place: &Place) {
    let (origin, env_file) = (stage.caller.origin(), place.data.env_file());
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
        stage.emulator.credentials().api_url,
        place.data.file("usersync.db").display(),
        env_file.display(),
        lines.sign_up(),
        lines.rows()
    );
    output::error(&text);
}
