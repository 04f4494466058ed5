//! The report of a demo: counts and verdict, as a table or as one line of JSON.
//!
//! Made by [`crate::run()`] at the end from the emulator's counts, the service's metrics and the comparison.

use crate::comparison::{ComparisonResult, Discrepancy};
use crate::reconcile::ReconcileSummary;
use crate::run::RunSummary;
use clerk_emulator::Counts;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub struct Report {
    pub(crate) seed: u64,
    pub(crate) seconds: f64,
    pub(crate) summary: RunSummary,
    pub(crate) counts: Counts,
    /// The service's metrics, as text.
    pub(crate) metrics: String,
    pub(crate) reconciled: ReconcileSummary,
    pub(crate) comparison: ComparisonResult,
}

impl Report {
    pub fn agrees(&self) -> bool {
        self.comparison.discrepancies.is_empty()
    }

    /// All numbers in one object.
    pub fn json(&self) -> Value {
        let head = [
            ("agrees", json!(self.agrees())),
            ("seconds", json!((self.seconds * 10.0).round() / 10.0)),
            ("seed", json!(self.seed)),
            ("discrepancies", json!(self.comparison.discrepancies)),
        ];
        let sections = TABLE.into_iter().map(|(_, section, rows)| {
            (section, rows.iter().map(|(_, key, value)| (*key, value(self))).collect())
        });
        head.into_iter().chain(sections).collect()
    }

    /// The table, every discrepancy, the verdict.
    pub fn text(&self) -> String {
        let discrepancies = self.comparison.discrepancies.iter().map(describe);
        let mut lines = vec![self.table()];
        lines.extend(discrepancies);
        lines.push(self.verdict());
        lines.join("\n")
    }

    fn table(&self) -> String {
        let mut text = String::new();
        for (title, _, rows) in TABLE {
            writeln!(text, "\n{title}").ok();
            for (name, _, value) in rows.iter().filter(|(name, ..)| !name.is_empty()) {
                writeln!(text, "  {name:<44}{:>8}", value(self)).ok();
            }
        }
        text
    }

    fn verdict(&self) -> String {
        let Self { comparison, summary, seconds, .. } = self;
        let (live, deleted) = (comparison.live, summary.deleted);
        if self.agrees() {
            return format!(
                "The table agrees with the provider row by row, {live} live and {deleted} deleted users, \
                 after {seconds:.1} s."
            );
        }
        let found = match comparison.discrepancies.len() {
            1 => "one discrepancy".to_owned(),
            found => format!("{found} discrepancies"),
        };
        format!("The table does not agree with the provider: {found} after {seconds:.1} s.")
    }

    fn fault(&self, kind: &str) -> Value {
        self.counts.faults_of(kind).into()
    }

    /// How many deliveries had an outcome, whatever their type.
    fn outcome(&self, outcome: &str) -> Value {
        self.metric("usersync_deliveries_total{", &format!("outcome=\"{outcome}\""))
    }

    /// The sum of a metric over the lines that hold a label.
    fn metric(&self, name: &str, label: &str) -> Value {
        let lines = self.metrics.lines().filter(|line| line.starts_with(name));
        let lines = lines.filter(|line| line.contains(label));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum::<u64>().into()
    }
}

fn describe(discrepancy: &Discrepancy) -> String {
    let Discrepancy { external_id, field, provider, table } = discrepancy;
    format!("{external_id}: {field} is {provider} at the provider and {table} in the table")
}

/// The name in the table, empty if the value is in the JSON only; the key in the JSON; the value.
type TableRow = (&'static str, &'static str, fn(&Report) -> Value);

/// Title, key in the JSON and rows.
type TableSection = (&'static str, &'static str, &'static [TableRow]);

const TABLE: [TableSection; 6] = [
    (
        "What happened to users",
        "users",
        &[
            ("signed up", "signed_up", |it| it.summary.signed_up.into()),
            ("changes of names, addresses, bans, metadata", "changed", |it| {
                it.summary.changed.into()
            }),
            ("deleted", "deleted", |it| it.summary.deleted.into()),
            ("signed in", "signed_in", |it| it.summary.signed_in.into()),
            ("  of them before any event had come", "rows_made_by_signing_in", |it| {
                it.summary.rows_made_by_signing_in.into()
            }),
            ("roles chosen by an operator", "roles_chosen", |it| it.summary.chosen.len().into()),
            ("", "live", |it| it.comparison.live.into()),
            ("", "deleted_without_row", |it| it.comparison.deleted_without_row.into()),
        ],
    ),
    (
        "What went wrong with their events",
        "events",
        &[
            ("events", "events", |it| it.counts.deliveries.events.into()),
            ("", "sent", |it| it.counts.deliveries.sent.into()),
            ("sent twice", "duplicated", |it| it.fault("duplicated")),
            ("out of order", "reordered", |it| it.fault("reordered")),
            ("late", "delayed", |it| it.fault("delayed")),
            ("dropped", "dropped", |it| it.fault("dropped")),
            ("deliveries tried again", "retried", |it| it.counts.deliveries.retried.into()),
        ],
    ),
    (
        "What went wrong at the provider's API",
        "api",
        &[
            ("requests", "requests", |it| it.counts.all_requests().into()),
            ("429 with Retry-After", "limited", |it| it.fault("limited")),
            ("429 without", "limited_silently", |it| it.fault("limited_silently")),
            ("5xx", "failed", |it| it.fault("failed")),
            ("5xx although it was done", "answer_lost", |it| it.fault("answer_lost")),
            ("slow answers", "slow", |it| it.fault("slow")),
        ],
    ),
    (
        "What became of deliveries",
        "outcomes",
        &[
            ("applied", "applied", |it| it.outcome("applied")),
            ("stale", "stale", |it| it.outcome("stale")),
            ("duplicate", "duplicate", |it| it.outcome("duplicate")),
            ("tombstoned", "tombstoned", |it| it.outcome("tombstoned")),
        ],
    ),
    (
        "What the reconcile healed",
        "healed",
        &[
            ("users compared", "compared", |it| it.reconciled.compared.into()),
            ("users without a row", "missing", |it| it.reconciled.missing.into()),
            ("rows that were stale", "stale", |it| it.reconciled.stale.into()),
            ("rows without a user, emptied", "extra", |it| it.reconciled.extra.into()),
        ],
    ),
    (
        "What was written back",
        "write_backs",
        &[
            ("calls", "calls", |it| it.counts.requests_of("metadata_patch").into()),
            ("users written back", "completed", |it| {
                it.metric("usersync_write_backs_total{", "outcome=\"done\"")
            }),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::{ComparisonResult, Counts, Discrepancy, ReconcileSummary, Report, RunSummary};
    use serde_json::json;

    fn report(discrepancies: Vec<Discrepancy>) -> Report {
        let line = |kind: &str, outcome: &str, count: u64| {
            format!("usersync_deliveries_total{{type=\"{kind}\",outcome=\"{outcome}\"}} {count}\n")
        };
        Report {
            seed: 1,
            seconds: 1.25,
            summary: RunSummary::default(),
            counts: Counts::default(),
            metrics: line("user.created", "applied", 3)
                + &line("user.updated", "applied", 4)
                + &line("user.updated", "stale", 5),
            reconciled: ReconcileSummary::default(),
            comparison: ComparisonResult { discrepancies, ..ComparisonResult::default() },
        }
    }

    #[test]
    fn the_table_holds_a_number_for_every_name() {
        let report = report(Vec::new());
        assert!(!report.table().contains("null"), "{}", report.table());
        assert_eq!(report.json()["outcomes"]["applied"], 7);
        assert_eq!(report.json()["agrees"], true);
    }

    #[test]
    fn a_discrepancy_ends_the_agreement() {
        let (provider, table) = (json!("Ada"), json!("Eve"));
        let external_id = "user_1".to_owned();
        let found = Discrepancy { external_id, field: "first_name", provider, table };
        assert!(super::describe(&found).starts_with("user_1: first_name is \"Ada\""));
        let report = report(vec![found]);
        assert!(!report.agrees() && report.verdict().contains("one discrepancy"));
    }
}
