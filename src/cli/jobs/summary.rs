//! The summary of a finished job, as text for the operator. Called by the commands of jobs; pure.

use super::progress::format_duration;
use std::time::Duration;
use usersync::domain::Counters;
use usersync::sync::jobs::{DriftReport, JobView};

/// The lines to print.
pub(super) fn lines(job: &JobView) -> Vec<String> {
    if let Some(report) = &job.drift {
        return drift(report);
    }
    let Counters { seen, created, updated, unchanged, tombstoned, missing, stale, extra, failed } =
        job.counters;
    let would = if job.dry_run { "would be " } else { "" };
    let mut lines = vec![format!("{}{}: {seen} users compared{}", job.kind, dry(job), pace(job))];
    lines.push(format!("  {created:>10} rows {would}created"));
    lines.push(format!("  {updated:>10} rows {would}updated"));
    lines.push(format!("  {unchanged:>10} rows were up to date, or newer"));
    for (count, what) in [
        (tombstoned, "users are deleted here, which is final"),
        (missing, "users had no live row"),
        (stale, "rows were older than the provider's users"),
        (extra, "live rows have no user at the provider"),
        (failed, "users could not be read, looked up or stored; the log says which"),
    ] {
        if count > 0 {
            lines.push(format!("  {count:>10} {what}"));
        }
    }
    if let Some(fill) = job.write_back {
        lines.push(format!(
            "  {:>10} users would be written to at the provider: {} given our id, {} a role, {} a plan",
            fill.users, fill.id, fill.role, fill.plan
        ));
        if fill.conflicts > 0 {
            let conflicts = fill.conflicts;
            lines.push(format!("  {conflicts:>10} users have another id or an unknown role there, and are not changed"));
        }
    }
    lines
}

fn drift(report: &DriftReport) -> Vec<String> {
    let mut lines = vec![format!("{} users compared", report.seen)];
    let meanings = [
        "missing: users of the provider without a live row",
        "stale: rows that are older than the provider's users, or were altered",
        "newer: rows that claim to be newer than the provider's users",
        "extra: live rows whose user the provider does not know",
        "conflict: users with an id that is not ours, or an unknown role",
        "unerased: deleted users with personal data left",
    ];
    for ((_, found), meaning) in report.groups().into_iter().zip(meanings) {
        lines.push(format!("  {:>10} {meaning}", found.count));
        lines.extend(found.ids.iter().take(SOME_IDS).map(|id| format!("             {id}")));
        let more = found.count.saturating_sub(u64::try_from(SOME_IDS).unwrap_or(0));
        if more > 0 {
            lines.push(format!("             and {more} more: GET /v1/drift, or --json"));
        }
    }
    lines.push(format!(
        "  {:>10} in flight: changed within the last minute, so they do not count",
        report.in_flight
    ));
    if report.failed > 0 {
        lines.push(format!("  {:>10} users could not be read or looked up", report.failed));
    }
    lines
}

const SOME_IDS: usize = 10;

fn dry(job: &JobView) -> &'static str {
    if job.dry_run { " (dry run, nothing is changed)" } else { "" }
}

fn pace(job: &JobView) -> String {
    let took = job.started_at.zip(job.finished_at).map(|(from, to)| to.since(from));
    match (took, job.rate_per_second) {
        (Some(took), Some(rate)) if took >= Duration::from_secs(1) => {
            format!(" in {}, {rate:.0} a second", format_duration(took))
        }
        _ => String::new(),
    }
}

/// Why the command exits with status 1, if it does.
pub(super) fn failure(job: &JobView) -> Option<String> {
    let (kind, id) = (job.kind, &job.id);
    match (job.state.as_str(), &job.error) {
        ("succeeded", _) => match &job.drift {
            Some(report) if !report.is_clean() => Some(
                "table and provider differ; `usersync reconcile` brings them in step, and \
                 `\"take_over\":true` of POST /v1/reconcile settles conflicts"
                    .into(),
            ),
            _ if job.counters.failed > 0 => {
                Some(format!("{} user(s) were left out; the log says which", job.counters.failed))
            }
            _ => None,
        },
        ("cancelled", _) => Some(format!(
            "job {id} is cancelled; what it did stays, and the next {kind} begins from the start"
        )),
        (state, Some(error)) => Some(format!("job {id} is {state}: {error}")),
        (state, None) => Some(format!("job {id} is {state}")),
    }
}
