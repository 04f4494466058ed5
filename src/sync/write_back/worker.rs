//! The provider is told our id, the role, and a plan that was set here.
//!
//! A worker, on every replica, leases write-backs that are due; the sign-in sync leases that
//! of one user. Those who are next are looked at together ([`ahead`]). Whoever holds the lease tells the provider what it lacks ([`push`]), and the
//! worker pauses where nobody gets an answer ([`pauses`]).

mod ahead;
mod pauses;
mod push;

use super::{InstanceError, SyncService};
use crate::provider::Priority;
use crate::store::write_backs::WriteBackLease;
use ahead::Prefetch;
use pauses::WorkerPace;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many write-backs one replica has under way at most.
const AT_ONCE: usize = 8;

/// How long a lease lasts: a worker that died is followed by another one after this time.
const LEASE: Duration = Duration::from_secs(20);

/// How often the worker looks for something due that nobody told it of.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long notes gather before the worker looks: in a burst of sign-ups each commit makes some.
const BURST_DELAY: Duration = Duration::from_millis(50);

/// How often a person's request looks whether a worker has told the provider.
const WORKER_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long what is under way may take once the service stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The words with which the lease of a write-back can end.
pub const WRITE_BACK_OUTCOMES: [&str; 12] = [
    "done",
    "conflict",
    "held_back",
    "rejected",
    "protocol",
    "rate_limited",
    "unavailable",
    "unauthorized",
    "again",
    "lost",
    "slow",
    "database",
];

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

    /// Tries the write-back of one user, for so long at most; it goes on where that is too short.
    pub(super) async fn push_with_timeout(self: &Arc<Self>, external_id: &str, patience: Duration) {
        let sync = Arc::clone(self);
        let external_id = external_id.to_owned();
        let try_it = tokio::spawn(async move {
            if sync.instance.failed_recently() || !sync.is_due(&external_id).await {
                return;
            }
            let proof = sync.instance.verify(Priority::Interactive);
            if matches!(tokio::time::timeout(patience, proof).await, Ok(Ok(()))) {
                sync.push_now(external_id, patience).await;
            }
        });
        tokio::time::timeout(patience, try_it).await.ok();
    }

    /// Tells the provider about one user, or waits while a worker does.
    async fn push_now(&self, external_id: String, patience: Duration) {
        let started = Instant::now();
        let (source, only) = (self.source(), Some(external_id.clone()));
        let claims = self.store.claim_write_backs(source, only, 1, LEASE).await;
        if let Some(claim) = claims.unwrap_or_default().pop() {
            // What comes to nothing now is the worker's.
            self.push(claim, Priority::Interactive).await;
            return;
        }
        while started.elapsed() < patience && self.is_due(&external_id).await {
            tokio::time::sleep(WORKER_POLL_INTERVAL).await;
        }
    }

    async fn is_due(&self, external_id: &str) -> bool {
        self.store.is_write_back_due(self.source(), external_id.to_owned()).await.unwrap_or(false)
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
    ) -> Result<Vec<WriteBackLease>, InstanceError> {
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
}
