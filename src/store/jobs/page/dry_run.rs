//! Counts what a page would change, and finds what differs, without writing rows. Called by
//! [`super`] for dry runs and drift.

use super::row::Row;
use crate::domain::{
    Comparison, Conflict, Counters, DriftKind, DryRunReport, GRACE, Snapshot, Timestamp, compare,
    write_back,
};
use crate::store::jobs::candidates::Candidate;
use crate::store::write_backs::WriteBackPolicy;
use serde_json::{Map, Value};
use std::collections::HashMap;

pub(super) struct DryRun<'a> {
    pub(super) policy: &'a WriteBackPolicy,
    pub(super) now: Timestamp,
    pub(super) rows: &'a HashMap<String, Row>,
    pub(super) counters: &'a mut Counters,
    pub(super) report: &'a mut DryRunReport,
}

impl DryRun<'_> {
    /// Counts what would be done about a user. Returns how the user differs, if for long enough.
    pub(super) fn add(&mut self, user: &Snapshot) -> Vec<Candidate> {
        let row = self.rows.get(&user.external_id);
        let comparison = compare(row.map(Row::view).as_ref(), user, self.now);
        let counters = &mut *self.counters;
        let drift_kind = match comparison {
            Comparison::Missing => {
                counters.created += 1;
                Some(DriftKind::Missing)
            }
            Comparison::Returned => {
                counters.updated += 1;
                Some(DriftKind::Missing)
            }
            Comparison::Stale | Comparison::Altered => {
                counters.updated += 1;
                Some(DriftKind::Stale)
            }
            Comparison::Newer => {
                counters.updated += 1;
                Some(DriftKind::Newer)
            }
            Comparison::Ahead => {
                counters.unchanged += 1;
                Some(DriftKind::Newer)
            }
            Comparison::Unconfirmed | Comparison::Same | Comparison::Overtaken => {
                counters.unchanged += 1;
                None
            }
            Comparison::Tombstoned => {
                counters.tombstoned += 1;
                return Vec::new();
            }
        };
        match (drift_kind, comparison) {
            (Some(DriftKind::Missing), _) => counters.missing += 1,
            (None, _) | (_, Comparison::Ahead) => {}
            (Some(_), _) => counters.stale += 1,
        }
        let conflict = self.preview_write_back(user, row).map(|_| DriftKind::Conflict);
        let row_synced_at = row.map(|row| row.synced_at);
        let mut differing: Vec<Candidate> = [drift_kind, conflict]
            .into_iter()
            .flatten()
            // A user without a row cannot hold its id.
            .filter(|drift_kind| row.is_some() || *drift_kind == DriftKind::Missing)
            .map(|drift_kind| Candidate::of(drift_kind, user.external_id.clone(), row_synced_at))
            .collect();
        if is_young(user) && !differing.is_empty() {
            self.report.in_flight += 1;
            differing.clear();
        }
        differing
    }

    /// Counts what write-back would send. Returns the conflict, where there is one.
    fn preview_write_back(&mut self, user: &Snapshot, row: Option<&Row>) -> Option<Conflict> {
        if row.is_some_and(|row| row.needs_no_write_back(user)) {
            return None;
        }
        let new_id;
        let id = if let Some(row) = row {
            &row.id
        } else {
            new_id = self.policy.defaults.new_id(&user.external_id);
            &new_id
        };
        let public_metadata: Map<String, Value> =
            serde_json::from_str(&user.profile.public_metadata).unwrap_or_default();
        let input = write_back::WriteBackInput {
            id,
            set_role: row.and_then(|row| row.set_role.as_deref()),
            set_plan: row.and_then(|row| row.set_plan.as_deref()),
            public_metadata: &public_metadata,
        };
        let plan =
            write_back::plan(input, &self.policy.names, &self.policy.entitlements.roles, false);
        let would = &mut self.report.write_back;
        would.users += u64::from(!plan.patch.is_empty());
        would.id += u64::from(plan.patch.id.is_some());
        would.role += u64::from(plan.patch.role.is_some());
        would.plan += u64::from(plan.patch.plan.is_some());
        would.conflicts += u64::from(plan.conflict.is_some());
        plan.conflict
    }
}

/// Whether the user changed so recently that an event may be on its way.
fn is_young(user: &Snapshot) -> bool {
    let asked_at = user.fetched_at.map_or(0, Timestamp::as_millis);
    let grace_ms = i64::try_from(GRACE.as_millis()).unwrap_or(i64::MAX);
    // A user whom the provider dates ahead is not young for ever.
    (0..grace_ms).contains(&(asked_at - user.version.updated_at_ms))
}
