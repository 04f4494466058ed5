//! A job as operators see it, over HTTP and on the command line.

use super::{Cursor, DriftReport};
use crate::domain::{Counters, DryRunReport, WriteBackPreview};
use crate::store::Moment;
use crate::store::jobs::JobRecord;
use serde::Serialize;

/// A job as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// `backfill`, `reconcile` or `drift`.
    pub kind: &'static str,
    /// Whether it only tells what it would do.
    pub dry_run: bool,
    /// Whether the mass-delete limit on absences is lifted.
    pub allow_mass_delete: bool,
    /// `queued`, `running`, `succeeded`, `failed`, `cancelled` or `blocked`.
    pub state: String,
    /// What it has counted.
    pub counters: Counters,
    /// What would be written to the provider; only where the job changes nothing.
    pub write_back: Option<WriteBackPreview>,
    /// What differs; only of a finished search for drift.
    pub drift: Option<DriftReport>,
    /// Where it stands, for people.
    pub cursor: Option<String>,
    /// How many users there are at the provider, as far as it tells.
    pub expected: Option<i64>,
    /// Users compared in a second.
    pub rate_per_second: Option<f64>,
    /// For how much longer it runs at this rate.
    pub seconds_left: Option<u64>,
    /// When somebody first took it up.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub finished_at: Option<Moment>,
    /// Why it did not succeed.
    pub error: Option<String>,
}

impl JobView {
    /// The job as of `now`.
    pub fn of(job: &JobRecord, now: Moment) -> Self {
        let counters = job.counters();
        let rate = job
            .started_at
            .and_then(|from| rate(counters.seen, from, job.finished_at.unwrap_or(now)));
        let left = job.expected.filter(|_| job.is_active()).and_then(|expected| {
            let left = u64::try_from(expected).ok()?.saturating_sub(counters.seen);
            seconds(left, rate?)
        });
        let looks = job.dry_run.then(|| job.report::<DryRunReport>()).flatten();
        Self {
            id: job.id.clone(),
            kind: job.kind().as_str(),
            dry_run: job.dry_run,
            allow_mass_delete: job.allow_mass_delete,
            state: job.state.clone(),
            counters,
            write_back: looks.map(|looked| looked.write_back),
            drift: job.report(),
            cursor: job.cursor::<Cursor>().map(|cursor| cursor.place()),
            expected: job.expected,
            rate_per_second: rate,
            seconds_left: left,
            started_at: job.started_at,
            finished_at: job.finished_at,
            error: job.error.clone(),
        }
    }
}

impl Cursor {
    /// The phase, and the user behind whom it goes on.
    fn place(&self) -> String {
        match self {
            Self::Scan(paging) => format!("scan:{}", paging.last_id().unwrap_or_default()),
            Self::Gather => "gather".to_owned(),
            Self::Look { after } => format!("look:{}", after.as_deref().unwrap_or_default()),
            Self::Conclude => "conclude".to_owned(),
        }
    }
}

/// So many in a second, with one digit behind the point; unknown in the first instants.
fn rate(seen: u64, from: Moment, to: Moment) -> Option<f64> {
    let milliseconds =
        u64::try_from(to.since(from).as_millis()).ok().filter(|elapsed| *elapsed > 0)?;
    let tenths = seen.saturating_mul(10_000) / milliseconds;
    Some(f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0)
}

fn seconds(left: u64, rate: f64) -> Option<u64> {
    let left = f64::from(u32::try_from(left).unwrap_or(u32::MAX));
    let duration = std::time::Duration::try_from_secs_f64(left / rate).ok()?;
    Some(duration.as_secs())
}
