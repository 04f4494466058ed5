//! The report of a demo: counts and verdict, as a table or as one line of JSON.
//!
//! Made by `demo` at the end from the emulator's counts, the service's metrics and the comparison.

use crate::comparison::{ComparisonResult, Discrepancy};
use crate::reconcile::ReconcileSummary;
use crate::run::RunSummary;
use clerk_emulator::Counts;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The outcomes of deliveries that are shown.
const OUTCOMES: [&str; 4] = ["applied", "stale", "duplicate", "tombstoned"];

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
        let Self { summary, counts, reconciled, comparison, .. } = self;
        let fault = |kind| counts.faults_of(kind);
        json!({
            "agrees": self.agrees(),
            "seconds": (self.seconds * 10.0).round() / 10.0,
            "seed": self.seed,
            "users": {
                "signed_up": summary.signed_up, "changed": summary.changed,
                "signed_in": summary.signed_in,
                "rows_made_by_signing_in": summary.rows_made_by_signing_in,
                "roles_chosen": summary.chosen.len(),
                "live": comparison.live, "deleted": summary.deleted,
                "deleted_without_row": comparison.deleted_without_row,
            },
            "events": {
                "events": counts.deliveries.events, "sent": counts.deliveries.sent,
                "duplicated": fault("duplicated"), "reordered": fault("reordered"),
                "delayed": fault("delayed"), "dropped": fault("dropped"),
                "retried": counts.deliveries.retried,
            },
            "api": {
                "requests": counts.all_requests(),
                "limited": fault("limited"), "limited_silently": fault("limited_silently"),
                "failed": fault("failed"), "answer_lost": fault("answer_lost"),
                "slow": fault("slow"),
            },
            "outcomes": OUTCOMES.map(|outcome| (outcome, self.outcome(outcome)))
                .into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "healed": reconciled,
            "write_backs": {
                "calls": counts.requests_of("metadata_patch"), "completed": self.written_back(),
            },
            "discrepancies": comparison.discrepancies,
        })
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
        let json = self.json();
        let mut text = String::new();
        for (title, path, rows) in TABLE {
            writeln!(text, "\n{title}").ok();
            for (name, key) in rows {
                let value = json.pointer(&format!("/{path}/{key}")).unwrap_or(&Value::Null);
                writeln!(text, "  {name:<44}{value:>8}").ok();
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

    /// How many deliveries had an outcome, whatever their type.
    fn outcome(&self, outcome: &str) -> u64 {
        self.metric("usersync_deliveries_total{", &format!("outcome=\"{outcome}\""))
    }

    fn written_back(&self) -> u64 {
        self.metric("usersync_write_backs_total{", "outcome=\"done\"")
    }

    /// The sum of a metric over the lines that hold a label.
    fn metric(&self, name: &str, label: &str) -> u64 {
        let lines = self.metrics.lines().filter(|line| line.starts_with(name));
        let lines = lines.filter(|line| line.contains(label));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }
}

/// A discrepancy in one line.
fn describe(discrepancy: &Discrepancy) -> String {
    let Discrepancy { external_id, field, provider, table } = discrepancy;
    format!("{external_id}: {field} is {provider} at the provider and {table} in the table")
}

/// Title, key in the JSON and rows.
type TableSection = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const TABLE: [TableSection; 6] = [
    (
        "What happened to users",
        "users",
        &[
            ("signed up", "signed_up"),
            ("changes of names, addresses, bans, metadata", "changed"),
            ("deleted", "deleted"),
            ("signed in", "signed_in"),
            ("  of them before any event had come", "rows_made_by_signing_in"),
            ("roles chosen by an operator", "roles_chosen"),
        ],
    ),
    (
        "What went wrong with their events",
        "events",
        &[
            ("events", "events"),
            ("sent twice", "duplicated"),
            ("out of order", "reordered"),
            ("late", "delayed"),
            ("dropped", "dropped"),
            ("deliveries tried again", "retried"),
        ],
    ),
    (
        "What went wrong at the provider's API",
        "api",
        &[
            ("requests", "requests"),
            ("429 with Retry-After", "limited"),
            ("429 without", "limited_silently"),
            ("5xx", "failed"),
            ("5xx although it was done", "answer_lost"),
            ("slow answers", "slow"),
        ],
    ),
    (
        "What became of deliveries",
        "outcomes",
        &[
            ("applied", "applied"),
            ("stale", "stale"),
            ("duplicate", "duplicate"),
            ("tombstoned", "tombstoned"),
        ],
    ),
    (
        "What the reconcile healed",
        "healed",
        &[
            ("users compared", "compared"),
            ("users without a row", "missing"),
            ("rows that were stale", "stale"),
            ("rows without a user, emptied", "extra"),
        ],
    ),
    (
        "What was written back",
        "write_backs",
        &[("calls", "calls"), ("users written back", "completed")],
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
