//! The worker of write-backs, on every replica.

use super::LEASE;
use super::push::{PushOutcome, is_recently_seen};
use crate::domain::Backoff;
use crate::provider::{ApiError, ListQuery, Priority};
use crate::store::write_backs::WriteBackLease;
use crate::sync::{SyncError, SyncService};
use crate::telemetry::Throttle;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many write-backs one replica has under way at most.
const AT_ONCE: usize = 8;

/// How often the worker looks for something due that nobody told it of.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long notes gather before the worker looks: in a burst of sign-ups each commit makes some.
const BURST_DELAY: Duration = Duration::from_millis(50);

/// How long what is under way may take once the service stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How many users are looked at ahead: so few that all are told before they are old again, even on the
/// budget of a development instance.
const AHEAD: u16 = 50;

/// Fewer are not worth a call.
const WORTH_IT: usize = 5;

/// The pauses of a worker whose provider does not answer.
pub(super) const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

/// How many write-backs are claimed before it is looked ahead again.
#[derive(Default)]
pub(super) struct Prefetch {
    left: usize,
}

impl Prefetch {
    /// So many were claimed.
    pub(super) fn record_claimed(&mut self, claimed: usize) {
        self.left = self.left.saturating_sub(claimed);
    }
}

/// When the worker goes on, after the provider or the database did not answer.
#[derive(Default)]
pub(super) struct WorkerPace {
    failures: u32,
    until: Option<Instant>,
    log_throttle: Throttle,
    /// By so many fewer write-backs are under way than could be.
    fewer: usize,
}

impl WorkerPace {
    pub(super) fn left(&self) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    pub(super) fn are_over(&self) -> bool {
        self.left().is_zero()
    }

    /// How many write-backs may be under way.
    pub(super) fn at_once(&self) -> usize {
        AT_ONCE - self.fewer
    }

    /// Learns from how a lease ended. Those that are not done in time stand in each other's way,
    /// as where the budget is small.
    pub(super) fn record(&mut self, outcome: Option<&PushOutcome>) {
        match outcome {
            Some(PushOutcome::NotNow(error)) => self.lengthen(error),
            Some(PushOutcome::Finished("done" | "conflict")) => {
                self.failures = 0;
                self.fewer = self.fewer.saturating_sub(1);
            }
            Some(PushOutcome::Finished("slow")) => {
                self.fewer = AT_ONCE - self.at_once().div_ceil(2);
            }
            _ => {}
        }
    }

    /// Everybody who is under way fails alike: that is one failure.
    pub(super) fn lengthen(&mut self, why: &dyn std::fmt::Display) {
        if !self.are_over() {
            return;
        }
        self.until = Some(Instant::now() + BACKOFF.bound(self.failures));
        self.failures = self.failures.saturating_add(1);
        if let Some(suppressed) = self.log_throttle.pass(Instant::now()) {
            tracing::error!(suppressed, "write-backs wait: {why}");
        }
    }
}

impl SyncService {
    /// Writes back what is due until `stopping` turns true, then finishes what is under way.
    pub async fn run_write_backs(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut under_way = JoinSet::new();
        let (mut pauses, mut ahead) = (WorkerPace::default(), Prefetch::default());
        while !*stopping.borrow() {
            let free = pauses.at_once().saturating_sub(under_way.len());
            let claimed = if pauses.are_over() && free > 0 {
                self.claim_due(free, &mut pauses, &mut ahead, &mut stopping).await
            } else {
                Vec::new()
            };
            let all_busy = claimed.len() == free;
            for claim in claimed {
                let sync = Arc::clone(&self);
                under_way.spawn(async move { sync.push(claim, Priority::Background).await });
            }
            let look_again = tokio::time::sleep(pauses.left().max(POLL_INTERVAL));
            tokio::select! {
                _ = stopping.changed() => {}
                Some(outcome) = under_way.join_next() => pauses.record(outcome.ok().as_ref()),
                () = self.wait_for_wake(), if !all_busy && pauses.are_over() => {}
                () = look_again, if !all_busy => {}
            }
        }
        let finish = async { while under_way.join_next().await.is_some() {} };
        // What does not end in time is looked at by whoever leases it next.
        tokio::time::timeout(STOP_WITHIN, finish).await.ok();
    }

    /// Somebody noted that there is something to tell; and so do others, most likely.
    async fn wait_for_wake(&self) {
        self.wake.notified().await;
        tokio::time::sleep(BURST_DELAY).await;
    }

    /// Leases up to `free` write-backs that are due.
    async fn claim_due(
        &self,
        free: usize,
        pauses: &mut WorkerPace,
        ahead: &mut Prefetch,
        stopping: &mut watch::Receiver<bool>,
    ) -> Vec<WriteBackLease> {
        match self.try_to_claim(free, ahead, stopping).await {
            Ok(claims) => claims,
            Err(why) => {
                pauses.lengthen(&why);
                Vec::new()
            }
        }
    }

    /// The key is proven first, since that may take longer than a lease lasts; but not before
    /// something is due, since an empty table would take any key.
    async fn try_to_claim(
        &self,
        free: usize,
        ahead: &mut Prefetch,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<Vec<WriteBackLease>, SyncError> {
        let source = self.source();
        if !self.instance.is_verified() {
            if !self.store.is_any_write_back_due(source).await? {
                return Ok(Vec::new());
            }
            tokio::select! {
                proven = self.instance.verify(Priority::Background) => proven?,
                _ = stopping.wait_for(|stops| *stops) => return Ok(Vec::new()),
            }
        }
        tokio::select! {
            looked = self.prefetch(ahead) => looked?,
            _ = stopping.wait_for(|stops| *stops) => return Ok(Vec::new()),
        }
        let most = i64::try_from(free).unwrap_or(0);
        let claims = self.store.claim_write_backs(source, None, most, LEASE).await?;
        ahead.record_claimed(claims.len());
        Ok(claims)
    }

    /// Brings the snapshots of those who are next up to date, where many of them are old.
    pub(super) async fn prefetch(&self, ahead: &mut Prefetch) -> Result<(), SyncError> {
        if ahead.left > 0 {
            return Ok(());
        }
        let source = self.source();
        let next = self.store.next_write_backs(source, i64::from(AHEAD)).await?;
        ahead.left = next.len();
        let old = next.into_iter().filter(|subject| !is_recently_seen(subject));
        let ids: Vec<String> = old.map(|subject| subject.external_id).collect();
        if ids.len() < WORTH_IT {
            return Ok(());
        }
        let query = ListQuery { ids, limit: AHEAD, ..ListQuery::default() };
        match self.directory.users(&query, Priority::Background).await {
            Ok(page) => Ok(self.apply_some(page.users).await?),
            // One by one they can be asked for all the same.
            Err(ApiError::NotFound | ApiError::Rejected { .. } | ApiError::Protocol(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
