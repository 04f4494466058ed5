//! `usersync backfill`, `reconcile` and `drift`: enqueues a job and runs it in this process.
//!
//! The jobs are those of the service: one that was interrupted is resumed by the next call or by
//! any replica, and one that a replica is running is followed.

mod progress;
mod summary;

use super::{DATABASE_VARIABLES, METADATA_VARIABLES, ROW_VARIABLES};
use super::{Failure, block_on, configured_by, flag, output, prepared, source};
use clap::{Arg, ArgMatches, Command};
use progress::JobProgressBar;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use usersync::app::{self, AppError};
use usersync::config::{Config, Requirement};
use usersync::domain::JobKind;
use usersync::store::Store;
use usersync::store::jobs::{JobRecord, JobRequest};
use usersync::sync::SyncService;
use usersync::sync::jobs::JobView;

const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The provider; the database and what decides about a row are in lists of their own.
const JOB_VARIABLES: &[&str] = &[
    "USERSYNC_MIGRATE",
    "CLERK_SECRET_KEY",
    "CLERK_API_URL",
    "USERSYNC_API_BUDGET",
    "CLERK_INSTANCE_ID",
    "USERSYNC_WRITE_BACK",
];

pub(super) fn backfill_command() -> Command {
    command("backfill", "Brings in every user of the provider").arg(dry_run())
}

pub(super) fn reconcile_command() -> Command {
    command(
        "reconcile",
        "Compares all rows with the provider and corrects them, lost deletions included",
    )
    .arg(dry_run())
    .arg(flag(
        "allow-mass-delete",
        "Allows more rows to be emptied than is usual in a day, after you checked why",
    ))
}

pub(super) fn drift_command() -> Command {
    command(
        "drift",
        "Reports differences between table and provider, and changes nothing; exit status 1 if there are any",
    )
}

fn command(name: &'static str, about: &'static str) -> Command {
    let groups = [DATABASE_VARIABLES, ROW_VARIABLES, METADATA_VARIABLES, JOB_VARIABLES];
    configured_by(Command::new(name), &groups)
        .about(about)
        .arg(flag("json", "Prints the finished job as one JSON object"))
}

fn dry_run() -> Arg {
    flag("dry-run", "Changes nothing, and reports what would be done, at the provider too")
}

pub(super) fn run(kind: JobKind, matches: &ArgMatches) -> Result<(), Failure> {
    let given =
        |name: &str| matches.try_get_one::<bool>(name).ok().flatten().is_some_and(|given| *given);
    let asked = JobRequest {
        kind,
        dry_run: given("dry-run") || kind == JobKind::Drift,
        allow_mass_delete: given("allow-mass-delete"),
    };
    let json = given("json");
    let config = configuration(matches)?;
    if config.api.is_none() {
        return Err(no_key());
    }
    let store = prepared(&config)?;
    let sync = app::sync_service(&config, &store, Arc::default(), &Arc::default());
    let sync = sync.map_err(AppError::from)?.ok_or_else(no_key)?;
    let job = block_on(work(&sync, &store, asked, JobProgressBar::new(json)))?;
    let view = JobView::of(&job, store.now());
    if json {
        output::line(&serde_json::to_string(&view).unwrap_or_default());
    } else {
        for line in summary::lines(&view) {
            output::line(&line);
        }
    }
    summary::failure(&view).map_or(Ok(()), |why| Err(Failure::Message(why)))
}

/// On a terminal the progress bar replaces the log, except for warnings and errors.
fn configuration(matches: &ArgMatches) -> Result<Config, Failure> {
    let mut source = source(matches)?;
    if std::io::stderr().is_terminal() {
        source.set_default("RUST_LOG", "warn");
    }
    let config = Config::load(&source, Requirement::Nothing)?;
    app::start_logs(&config);
    Ok(config)
}

fn no_key() -> Failure {
    Failure::Message(
        "the provider cannot be asked: set CLERK_SECRET_KEY to the secret key of the instance (`sk_…`, from the \
         API keys page of its dashboard)"
            .into(),
    )
}

/// Runs the job, or follows the replica that runs it, until it has ended.
async fn work(
    sync: &Arc<SyncService>,
    store: &Store,
    asked: JobRequest,
    progress: JobProgressBar,
) -> Result<JobRecord, Failure> {
    let (job, is_new) = sync.enqueue_job(asked).await?;
    if !is_new && (job.dry_run, job.allow_mass_delete) != (asked.dry_run, asked.allow_mass_delete) {
        let (kind, id) = (asked.kind.as_str(), &job.id);
        return Err(Failure::Message(format!(
            "a {kind} with other options is active: job {id}. Run it to its end first, or cancel it with \
             POST /v1/jobs/{id}/cancel"
        )));
    }
    let mut signals = Signals::new()?;
    do_or_follow(sync, store, job, is_new, &progress, &mut signals).await
}

async fn do_or_follow(
    sync: &Arc<SyncService>,
    store: &Store,
    mut job: JobRecord,
    is_new: bool,
    progress: &JobProgressBar,
    signals: &mut Signals,
) -> Result<JobRecord, Failure> {
    let mut announced = is_new;
    while job.is_active() {
        progress.show(&JobView::of(&job, store.now()));
        let claimed = sync.claim_job(&job).await?;
        if claimed.is_none() && !std::mem::replace(&mut announced, true) {
            progress.print(&format!("job {} is run by another process; following it", job.id));
        }
        let lease = claimed.as_ref().map(JobRecord::lease);
        let work = async {
            match claimed {
                Some(job) => sync.run_job(job).await,
                None => tokio::time::sleep(POLL_INTERVAL).await,
            }
        };
        tokio::select! {
            () = work => {}
            () = progress.follow(store, &job.id) => {}
            stop = signals.stop() => match (stop, lease) {
                (StopRequest::Cancel, Some(_)) => {
                    store.cancel_job(job.id.clone()).await?;
                }
                (StopRequest::Release, Some(lease)) => {
                    sync.hand_over_job(lease).await;
                    return Err(stopped(&job));
                }
                (_, None) => return Err(stopped(&job)),
            },
        }
        let found = store.find_job(job.id.clone()).await?;
        job = found.ok_or_else(|| Failure::Message("the job does not exist any more".into()))?;
    }
    progress.finish();
    Ok(job)
}

fn stopped(job: &JobRecord) -> Failure {
    let kind = job.kind().as_str();
    Failure::Message(format!(
        "stopped; job {} continues where it was as soon as a service or `usersync {kind}` resumes it",
        job.id
    ))
}

/// How the operator stops the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopRequest {
    /// Ctrl-C: cancels the job.
    Cancel,
    /// SIGTERM: another process may resume the job.
    Release,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let failed = |error| Failure::Message(format!("signals cannot be received: {error}"));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    async fn stop(&mut self) -> StopRequest {
        tokio::select! {
            _ = self.interrupt.recv() => StopRequest::Cancel,
            _ = self.terminate.recv() => StopRequest::Release,
        }
    }
}
