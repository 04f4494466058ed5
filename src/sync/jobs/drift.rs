//! The report of a drift job.
//!
//! Made at the end of a scan that recorded candidates. Each candidate's row is read again: one that
//! was written since is left to the next scan. What is younger than the grace period was counted
//! apart by the scan.

use super::run::JobRun;
use crate::domain::{Counters, DriftKind, DryRunReport, JobKind, WriteBackPreview};
use crate::store::jobs::JobRecord;
use crate::store::{Store, StoreError};
use crate::sync::SyncError;
use serde::{Deserialize, Serialize};

const MOST_IDS: usize = 100;

const READ_AT_ONCE: i64 = 1_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DriftReport {
    /// Users of the provider who were compared.
    pub seen: u64,
    /// Users of the provider without a live row.
    pub missing: DriftGroup,
    /// Rows older than the provider's user, or with columns that do not hold what their version says.
    pub stale: DriftGroup,
    /// Rows that claim to be newer than the provider's user.
    #[serde(default)]
    pub newer: DriftGroup,
    /// Live rows whose user the provider does not know.
    pub extra: DriftGroup,
    /// Users with an id that is not ours, or an unknown role.
    pub conflicts: DriftGroup,
    /// Deleted users of whom personal data is left.
    pub unerased: DriftGroup,
    /// Differences so young that an event about them may be on its way. They do not count as drift.
    pub in_flight: u64,
    pub failed: u64,
    pub write_back: WriteBackPreview,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftGroup {
    pub count: u64,
    /// The provider's ids of the first hundred.
    pub ids: Vec<String>,
}

impl DriftGroup {
    fn add(&mut self, external_ids: Vec<String>) {
        self.count += u64::try_from(external_ids.len()).unwrap_or_default();
        let free = MOST_IDS.saturating_sub(self.ids.len());
        self.ids.extend(external_ids.into_iter().take(free));
    }
}

impl DriftReport {
    /// The last report, and its job.
    pub async fn last(
        store: &Store,
        source: &'static str,
    ) -> Result<Option<(JobRecord, Self)>, StoreError> {
        let job = store.last_success(source, JobKind::Drift).await?;
        Ok(job.and_then(|job| job.report().map(|report| (job, report))))
    }

    pub fn groups(&self) -> [(DriftKind, &DriftGroup); 6] {
        [
            (DriftKind::Missing, &self.missing),
            (DriftKind::Stale, &self.stale),
            (DriftKind::Newer, &self.newer),
            (DriftKind::Orphan, &self.extra),
            (DriftKind::Conflict, &self.conflicts),
            (DriftKind::Unerased, &self.unerased),
        ]
    }

    pub fn counts(&self) -> [(DriftKind, u64); 6] {
        self.groups().map(|(drift_kind, found)| (drift_kind, found.count))
    }

    pub fn is_clean(&self) -> bool {
        self.groups().iter().all(|(_, found)| found.count == 0)
    }
}

impl JobRun {
    /// Returns the report as JSON.
    pub(super) async fn report_drift(&mut self) -> Result<String, SyncError> {
        let Counters { seen, failed, .. } = self.progress.counters;
        let DryRunReport { write_back, in_flight } = self.progress.report;
        let report = DriftReport {
            seen,
            missing: self.recheck_drift(DriftKind::Missing).await?,
            stale: self.recheck_drift(DriftKind::Stale).await?,
            newer: self.recheck_drift(DriftKind::Newer).await?,
            extra: self.recheck_drift(DriftKind::Orphan).await?,
            conflicts: self.recheck_drift(DriftKind::Conflict).await?,
            unerased: self.erasure_violations().await?,
            in_flight,
            failed,
            write_back,
        };
        let json = serde_json::to_string(&report);
        json.map_err(|_| StoreError::Refused("a report cannot be written".into()).into())
    }

    async fn recheck_drift(&self, drift_kind: DriftKind) -> Result<DriftGroup, SyncError> {
        let (store, source) = (&self.sync.store, self.sync.source());
        let recheck = |after| {
            let lease = self.lease.clone();
            store.recheck_candidates(source, lease, drift_kind, after, READ_AT_ONCE)
        };
        self.collect(recheck).await
    }

    async fn erasure_violations(&self) -> Result<DriftGroup, SyncError> {
        let (store, source) = (&self.sync.store, self.sync.source());
        self.collect(|after| store.erasure_violations(source, after, READ_AT_ONCE)).await
    }

    /// Reads users from `page` until it gives no cursor.
    async fn collect<F>(&self, page: impl Fn(Option<String>) -> F) -> Result<DriftGroup, SyncError>
    where
        F: Future<Output = Result<(Vec<String>, Option<String>), StoreError>>,
    {
        let (mut group, mut after) = (DriftGroup::default(), None);
        loop {
            let (users, last) = self.retry(|| page(after.clone())).await?;
            group.add(users);
            if last.is_none() {
                return Ok(group);
            }
            after = last;
        }
    }
}
