//! Shows in half a minute that a service's table agrees with the provider despite faults.
//!
//! Called by `usersync demo`, which starts the service. Everything here judges from outside: an
//! emulator with heavy faults ([`environment`]), users who sign up, change and are deleted
//! ([`scenario`], [`run`](mod@run)), a [`reconcile`] job, a [`comparison`] of both sides, a [`report`].
//! Knows the service by its routes only.

mod comparison;
mod environment;
mod progress;
mod reconcile;
mod report;
mod run;
mod scenario;
mod service_client;

pub use environment::Environment;
pub use report::Report;

use clerk_emulator::Emulator;
use comparison::{ComparisonResult, Sides};
use progress::Phase;
use run::{Run, RunSummary};
use std::time::Instant;

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many users sign up.
    pub users: usize,
    /// What happens and what goes wrong derive from it.
    pub seed: u64,
    /// Prints no progress.
    pub quiet: bool,
}

/// Where the service listens, and a token that may do everything.
#[derive(Clone)]
pub struct ServiceAddress {
    /// Without a slash at the end.
    pub origin: String,
    pub admin_token: String,
}

/// Why a demo could not go on to its report.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DemoError(pub String);

/// Runs all phases up to the report. `start_service` is called once, after the first users signed up
/// at the emulator that it is given.
pub async fn run(
    options: Options,
    start_service: impl AsyncFnOnce(&Emulator) -> Result<ServiceAddress, DemoError>,
) -> Result<(Environment, Report), DemoError> {
    let began = Instant::now();
    let Options { users, seed, quiet } = options;
    let steps = scenario::scenario(users, seed);
    let emulator = environment::start_emulator(seed)?;

    let phase = Phase::begin(quiet, "users sign up and change", steps.len());
    let mut run = Run::new(steps);
    run.begin(&emulator, &phase).await?;
    let service = start_service(&emulator).await?;
    let environment = Environment::connect(emulator, service).await?;
    let summary = run.finish(&environment, &phase).await?;
    phase.over("users signed up, changed and were deleted, some before the service started");

    let phase = Phase::begin(quiet, "events and write-backs", 0);
    environment.wait_until_idle(&phase).await?;
    phase.over("all events that were not dropped are delivered and written back");

    let phase = Phase::begin(quiet, "reconcile", environment.emulator.users().len());
    let reconciled = reconcile::reconcile(&environment, &phase).await?;
    phase.over("a reconcile compared every user and repaired what was lost");

    let phase = Phase::begin(quiet, "write-backs after the reconcile", 0);
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
    summary: &RunSummary,
) -> Result<ComparisonResult, DemoError> {
    let (live, issued) = (environment.emulator.users(), environment.emulator.issued_ids());
    let rows = environment.client.rows().await?;
    let sides = Sides { live: &live, issued: &issued, rows: &rows, chosen: &summary.chosen };
    Ok(sides.compare())
}
