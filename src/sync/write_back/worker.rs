//! The worker of write-backs: leases those that are due, on every replica.
//!
//! Started by `app`. After a backfill a whole instance is due. Each user must be read shortly
//! before it is patched, since another program may have filled in a value; so the next users are
//! listed by their ids, in one call for many, and those who need nothing cost no call of their own.

use super::push::PushOutcome;
use crate::domain::Backoff;
use crate::provider::{ApiError, ListQuery, Priority};
use crate::store::write_backs::ClaimedWriteBacks;
use crate::sync::{SyncError, SyncService};
use crate::telemetry::Throttle;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

const AT_ONCE: usize = 8;

/// How often the worker looks without having been woken.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// In a burst of sign-ups each commit enqueues some: they are handled together.
const BURST_DELAY: Duration = Duration::from_millis(50);

/// For pushes under way when the service stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Users a prefetch lists: so few that all are pushed while their rows are fresh, even on the
/// budget of a development instance.
const AHEAD: u16 = 50;

/// Fewer stale rows are not worth a call.
const WORTH_IT: usize = 5;

/// The pauses of a worker whose provider does not answer.
pub(super) const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

/// When the worker goes on after a failure, and how many pushes it may have under way.
#[derive(Default)]
struct WorkerPace {
    failures: u32,
    until: Option<Instant>,
    log_throttle: Throttle,
    fewer: usize,
}

impl WorkerPace {
    fn left(&self) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    fn are_over(&self) -> bool {
        self.left().is_zero()
    }

    fn at_once(&self) -> usize {
        AT_ONCE - self.fewer
    }

    /// If pushes are too slow, as with a small budget, fewer run at once.
    fn record(&mut self, outcome: Option<&PushOutcome>) {
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

    /// All concurrent pushes fail alike: that counts once.
    fn lengthen(&mut self, why: &dyn std::fmt::Display) {
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
    /// Runs until `stopping` turns true, then finishes what is under way.
    pub async fn run_write_backs(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut under_way = JoinSet::new();
        let (mut pauses, mut ahead) = (WorkerPace::default(), 0);
        while !*stopping.borrow() {
            let free = pauses.at_once().saturating_sub(under_way.len());
            let claimed = if pauses.are_over() && free > 0 {
                let claimed = self.claim_due(free, &mut ahead, &mut stopping).await;
                claimed.unwrap_or_else(|why| {
                    pauses.lengthen(&why);
                    ClaimedWriteBacks::default()
                })
            } else {
                ClaimedWriteBacks::default()
            };
            let all_busy = claimed.taken_up() == free;
            let leaves_room = !claimed.postponed.is_empty();
            for lease in claimed.leases {
                let sync = Arc::clone(&self);
                under_way.spawn(async move { sync.push(lease, Priority::Background).await });
            }
            if all_busy && leaves_room {
                continue;
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
        // The next lease of an unfinished write-back fetches first.
        tokio::time::timeout(STOP_WITHIN, finish).await.ok();
    }

    async fn wait_for_wake(&self) {
        self.wake.notified().await;
        tokio::time::sleep(BURST_DELAY).await;
    }

    /// The key is verified first, since that may take longer than a lease lasts; but not before
    /// something is due, since an empty table would accept any key.
    async fn claim_due(
        &self,
        free: usize,
        ahead: &mut usize,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<ClaimedWriteBacks, SyncError> {
        let source = self.source();
        if !self.instance.is_verified() {
            if !self.store.is_any_write_back_due(source).await? {
                return Ok(ClaimedWriteBacks::default());
            }
            tokio::select! {
                verified = self.instance.verify(Priority::Background) => verified?,
                _ = stopping.wait_for(|stops| *stops) => return Ok(ClaimedWriteBacks::default()),
            }
        }
        tokio::select! {
            prefetched = self.prefetch(ahead) => prefetched?,
            _ = stopping.wait_for(|stops| *stops) => return Ok(ClaimedWriteBacks::default()),
        }
        let most = i64::try_from(free).unwrap_or(0);
        let claimed = self.claim(None, most).await?;
        *ahead = ahead.saturating_sub(claimed.taken_up());
        Ok(claimed)
    }

    /// Refreshes the rows of the next users, where many are stale. `ahead` counts the write-backs to
    /// claim before the next prefetch.
    async fn prefetch(&self, ahead: &mut usize) -> Result<(), SyncError> {
        if *ahead > 0 {
            return Ok(());
        }
        let source = self.source();
        let next = self.store.next_write_backs(source, i64::from(AHEAD)).await?;
        *ahead = next.len();
        let old = next.into_iter().filter(|subject| !self.is_recently_seen(subject));
        let ids: Vec<String> = old.map(|subject| subject.external_id).collect();
        if ids.len() < WORTH_IT {
            return Ok(());
        }
        let query = ListQuery { ids, limit: AHEAD, ..ListQuery::default() };
        match self.directory.users(&query, Priority::Background).await {
            Ok(page) => Ok(self.apply(page.users).await.map(drop)?),
            // They can still be fetched one by one.
            Err(ApiError::NotFound | ApiError::Rejected { .. } | ApiError::Protocol(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
