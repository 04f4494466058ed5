//! Healing: what was dropped is found and made up for, as an operator would have it done.
//!
//! Called by `demo` when everything that was not dropped has arrived. A reconcile compares every user;
//! deletions that were dropped are more than is usual in a day, so the mass-delete limit on them is lifted.

use super::super::Failure;
use super::caller::unexpected;
use super::progress::Phase;
use super::stage::{LOOK_EVERY, Stage, give_up_after};
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::Value;
use std::time::Instant;

/// What healing came to, in users.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Healed {
    /// Who were compared.
    pub(super) compared: u64,
    /// Who had no live row.
    pub(super) missing: u64,
    /// Whose row showed something older.
    pub(super) stale: u64,
    /// Whose row was emptied, since they are gone.
    pub(super) extra: u64,
}

pub(super) async fn heal(stage: &Stage, phase: &Phase) -> Result<Healed, Failure> {
    let (status, body) = stage.caller.start_reconcile().await?;
    let id = body.get("id").and_then(Value::as_str).filter(|_| status == StatusCode::ACCEPTED);
    let Some(id) = id else {
        return Err(unexpected("POST /v1/jobs", status, &body));
    };
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let (status, job) = stage.caller.job(id).await?;
        let count = |name: &str| {
            job.pointer(&format!("/counters/{name}")).and_then(Value::as_u64).unwrap_or(0)
        };
        match job.get("state").and_then(Value::as_str) {
            Some("succeeded") => {
                return Ok(Healed {
                    compared: count("seen"),
                    missing: count("missing"),
                    stale: count("stale"),
                    extra: count("extra"),
                });
            }
            Some("queued" | "running") => {}
            _ => return Err(unexpected("GET /v1/jobs/{id}", status, &job)),
        }
        let done = count("seen") + count("extra");
        if done > seen {
            (seen, since) = (done, Instant::now());
            phase.at(seen);
        }
        give_up_after(since, "the reconcile stood still")?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
