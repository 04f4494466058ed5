//! Reconciles: a job compares every user and repairs what dropped events left wrong.
//!
//! Called by [`crate::run()`] after all events that were not dropped are delivered. Sets `allow_mass_delete`:
//! the dropped deletions are more than the limit of a day.

use crate::DemoError;
use crate::environment::{Environment, POLL_INTERVAL, fail_after_timeout};
use crate::progress::Phase;
use crate::service_client::unexpected;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use std::time::Instant;

/// The job's counters, in users.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReconcileSummary {
    #[serde(rename = "seen")]
    pub(crate) compared: u64,
    /// Users without a live row.
    pub(crate) missing: u64,
    /// Rows that were older than the user.
    pub(crate) stale: u64,
    /// Rows that were emptied because the user is deleted.
    pub(crate) extra: u64,
}

pub(crate) async fn reconcile(
    environment: &Environment,
    phase: &Phase,
) -> Result<ReconcileSummary, DemoError> {
    let (status, body) = environment.client.start_reconcile().await?;
    let id = body.get("id").and_then(Value::as_str).filter(|_| status == StatusCode::ACCEPTED);
    let Some(id) = id else {
        return Err(unexpected("POST /v1/jobs", status, &body));
    };
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let (status, job) = environment.client.job(id).await?;
        let counters = job.get("counters").cloned().map(serde_json::from_value::<ReconcileSummary>);
        let counters = counters.and_then(Result::ok).unwrap_or_default();
        match job.get("state").and_then(Value::as_str) {
            Some("succeeded") => return Ok(counters),
            Some("queued" | "running") => {}
            _ => return Err(unexpected("GET /v1/jobs/{id}", status, &job)),
        }
        let done = counters.compared + counters.extra;
        if done > seen {
            (seen, since) = (done, Instant::now());
            phase.at(seen);
        }
        fail_after_timeout(since, "the reconcile made no progress")?;
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
