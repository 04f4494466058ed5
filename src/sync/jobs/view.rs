//! A job as operators see it, over HTTP and on the command line.
//!
//! Made from the stored job; field names are the wire's.

use super::{Cursor, DriftReport};
use crate::domain::{Counters, DryRunReport, Timestamp, WriteBackPreview};
use crate::store::jobs::JobRecord;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct JobView {
    pub id: String,
    /// `backfill`, `reconcile` or `drift`.
    pub kind: &'static str,
    pub dry_run: bool,
    /// Whether the mass-delete limit is lifted.
    pub allow_mass_delete: bool,
    /// `queued`, `running`, `succeeded`, `failed`, `cancelled` or `blocked`.
    pub state: String,
    pub counters: Counters,
    /// What would be pushed to the provider; only of a job that changes nothing.
    pub write_back: Option<WriteBackPreview>,
    /// Only of a drift job that succeeded.
    pub drift: Option<DriftReport>,
    /// The phase, and the user behind whom it continues.
    pub cursor: Option<String>,
    /// Users at the provider, where it counts them.
    pub expected: Option<i64>,
    pub rate_per_second: Option<f64>,
    pub seconds_left: Option<u64>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub error: Option<String>,
}

impl JobView {
    pub fn of(job: &JobRecord, now: Timestamp) -> Self {
        let counters = job.counters();
        let rate = job
            .started_at
            .and_then(|from| rate(counters.seen, from, job.finished_at.unwrap_or(now)));
        let left = job.expected.filter(|_| job.is_active()).and_then(|expected| {
            let left = u64::try_from(expected).ok()?.saturating_sub(counters.seen);
            seconds(left, rate?)
        });
        let preview = job.dry_run.then(|| job.report::<DryRunReport>()).flatten();
        Self {
            id: job.id.clone(),
            kind: job.kind().as_str(),
            dry_run: job.dry_run,
            allow_mass_delete: job.allow_mass_delete,
            state: job.state.clone(),
            counters,
            write_back: preview.map(|report| report.write_back),
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
    fn place(&self) -> String {
        match self {
            Self::Scan(paging) => format!("scan:{}", paging.last_id().unwrap_or_default()),
            Self::Gather => "gather".to_owned(),
            Self::Look { after } => format!("look:{}", after.as_deref().unwrap_or_default()),
            Self::Conclude => "conclude".to_owned(),
        }
    }
}

/// With one decimal; `None` in the first millisecond.
fn rate(seen: u64, from: Timestamp, to: Timestamp) -> Option<f64> {
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
