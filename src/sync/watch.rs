//! The watch: every minute, on one replica, compares what changed last at the provider.
//!
//! Events arrive sooner, but some never do. So the users updated last are read, newest first, down
//! to those read the time before. Where that is too far, or the numbers of users disagree for
//! longer than an event takes, a reconcile is enqueued; so it is by the schedule.

use super::bisection::Bisection;
use super::retry::renew_until_lost;
use super::{SyncError, SyncService};
use crate::domain::{Change, JobKind, Schedule, Snapshot, Timestamp, horizon};
use crate::provider::{ListOrder, ListQuery, Position, Priority};
use crate::store::StoreError;
use crate::store::jobs::JobRequest;
use crate::store::leases::ScheduledRun;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Names of the scheduled runs, which replicas lease.
const WATCH: &str = "watch";
const SCHEDULE: &str = "reconcile";

/// The very first watch comes no later than this.
const FIRST_AFTER: Duration = Duration::from_secs(10);

/// Users a page, and by how many the next one begins earlier than this one ends: as many may be
/// deleted in between without one being skipped.
const PAGE_USERS: u16 = 500;
const OVERLAP: u32 = 50;

/// Beyond so many pages a reconcile is cheaper.
const MOST_PAGES: u32 = 20;

/// How far below the watermark is read again: clocks differ, and a change takes time to be listed.
const MARGIN: Duration = Duration::from_secs(60);

/// How long after a reconcile the numbers of users may disagree without another one.
const QUIET_INTERVALS: u32 = 10;

/// What one watch leaves to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct WatchState {
    /// All changes up to this `updated_at` were read, in milliseconds.
    watermark: Option<i64>,
    /// By how many users the provider had more than the table.
    difference: i64,
    /// The difference for which a reconcile was enqueued, until there is none.
    requested_for: Option<i64>,
}

enum Descent {
    /// With the newest change that was read.
    Reached(Option<i64>),
    TooFar,
}

impl SyncService {
    /// Runs until `stopping` turns true.
    pub async fn run_watch(
        self: Arc<Self>,
        interval: Duration,
        mut stopping: watch::Receiver<bool>,
    ) {
        while !*stopping.borrow() {
            let watched = async {
                let first = interval.min(FIRST_AFTER);
                if let Some(run) = self.claim_run(WATCH, first, interval).await {
                    self.run_watch_once(run, interval).await;
                }
                tokio::time::sleep(poll_interval(interval)).await;
            };
            tokio::select! {
                _ = stopping.changed() => {}
                () = watched => {}
            }
        }
    }

    /// Enqueues reconciles until `stopping` turns true.
    pub async fn run_schedule(
        self: Arc<Self>,
        schedule: Schedule,
        mut stopping: watch::Receiver<bool>,
    ) {
        while !*stopping.borrow() {
            let wait = schedule.wait(self.store.now().as_millis());
            let due = async {
                if let Some(run) = self.claim_run(SCHEDULE, wait, wait).await {
                    self.run_schedule_once(run, schedule).await;
                }
                tokio::time::sleep(poll_interval(wait)).await;
            };
            tokio::select! {
                _ = stopping.changed() => {}
                () = due => {}
            }
        }
    }

    async fn claim_run(
        &self,
        name: &'static str,
        first: Duration,
        every: Duration,
    ) -> Option<ScheduledRun> {
        let claimed = self.store.claim_scheduled_run(name, first, every).await;
        claimed.unwrap_or_else(|error| {
            tracing::debug!(name, "a scheduled run waits for the database: {error}");
            None
        })
    }

    async fn run_schedule_once(&self, run: ScheduledRun, schedule: Schedule) {
        let enqueued = self.enqueue_reconcile("it is due").await;
        let wait = match enqueued {
            Ok(()) => schedule.wait(self.store.now().as_millis()),
            Err(_) => MARGIN,
        };
        let ended = self.store.finish_scheduled_run(run, wait, "null".into()).await;
        if let Err(error) = enqueued.and(ended.map(drop)) {
            tracing::warn!("a scheduled reconcile waits: {error}");
        }
    }

    async fn run_watch_once(&self, run: ScheduledRun, interval: Duration) {
        let state: WatchState = serde_json::from_str(&run.checkpoint).unwrap_or_default();
        let watched = tokio::select! {
            watched = self.watch(&run, state.clone(), interval) => watched,
            () = renew_until_lost(|| self.store.renew_scheduled_run(run.clone())) => Err(SyncError::LeaseLost),
        };
        let state = watched.as_ref().unwrap_or(&state);
        let state = serde_json::to_string(state).unwrap_or_else(|_| "null".into());
        let ended = self.store.finish_scheduled_run(run, interval, state).await;
        match (watched, ended) {
            (Ok(_), Ok(_)) | (Err(SyncError::LeaseLost), _) => {}
            (Err(error), _) => tracing::warn!("the watch could not look at the provider: {error}"),
            (_, Err(error)) => tracing::warn!("the watch could not be stored: {error}"),
        }
    }

    async fn watch(
        &self,
        run: &ScheduledRun,
        mut state: WatchState,
        interval: Duration,
    ) -> Result<WatchState, SyncError> {
        self.instance.verify(Priority::Background).await?;
        let reconciled_at = self.reconciled_at().await?;
        // One that lies ahead, since a clock was wrong once, would hide all changes before it.
        let horizon_ms = horizon(self.store.now()).as_millis();
        state.watermark = state.watermark.filter(|watermark| *watermark <= horizon_ms);
        let known = state.watermark.max(reconciled_at.map(|at| at.0.as_millis()));
        let margin_ms = i64::try_from(MARGIN.as_millis()).unwrap_or(0);
        let floor = known.map(|known| known - margin_ms);
        // A backfill or a reconcile reads all users, and this would read them beside it.
        let scan_is_active = self.store.is_full_scan_active(self.source()).await?;
        if scan_is_active && floor.is_none() {
            return Ok(state);
        }
        match self.descend(run, floor).await? {
            Descent::Reached(newest) => {
                // A time in the future would leave out all changes before it.
                let newest = newest.map(|newest| newest.min(self.store.now().as_millis()));
                state.watermark = state.watermark.max(newest);
            }
            // Unless a job read all users meanwhile.
            Descent::TooFar if scan_is_active || self.reconciled_at().await? != reconciled_at => {
                return Ok(state);
            }
            Descent::TooFar => {
                self.enqueue_reconcile("too much changed to be read backwards").await?;
                return Ok(state);
            }
        }
        let quiet = reconciled_at.is_some_and(|(_, ended)| {
            self.store.now().since(ended) < interval.saturating_mul(QUIET_INTERVALS)
        });
        self.compare_counts(&mut state, quiet || scan_is_active).await?;
        Ok(state)
    }

    /// When the last job that read all users began, and when it ended.
    async fn reconciled_at(&self) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        let job = self.store.last_full_scan(self.source()).await?;
        Ok(job.and_then(|job| Some((job.started_at?, job.finished_at?))))
    }

    /// Applies users who changed since `floor`, newest first.
    async fn descend(&self, run: &ScheduledRun, floor: Option<i64>) -> Result<Descent, SyncError> {
        let mut newest = None;
        for page in 0..MOST_PAGES {
            let offset = page * (u32::from(PAGE_USERS) - OVERLAP);
            let query = ListQuery {
                order: ListOrder::NewestUpdated,
                position: if page == 0 { Position::First } else { Position::Offset(offset) },
                limit: PAGE_USERS,
                ..ListQuery::default()
            };
            let listed = self.directory.users(&query, Priority::Background).await?;
            let is_last = listed.users.len() + listed.unreadable < usize::from(PAGE_USERS);
            let updated_at = |user: &Snapshot| user.version.updated_at_ms;
            newest = newest.max(listed.users.iter().map(updated_at).max());
            let oldest = listed.users.iter().map(updated_at).min();
            self.apply_watched(run, listed.users).await?;
            if is_last || floor.is_some_and(|floor| oldest.is_some_and(|oldest| oldest < floor)) {
                return Ok(Descent::Reached(newest));
            }
        }
        Ok(Descent::TooFar)
    }

    /// A user whom the database refuses is logged and left out.
    async fn apply_watched(
        &self,
        run: &ScheduledRun,
        users: Vec<Snapshot>,
    ) -> Result<(), SyncError> {
        let users = users.into_iter().map(|user| Change::Snapshot(Box::new(user))).collect();
        let (mut created, mut updated) = (0, 0);
        let mut bisection = Bisection::of(users);
        while let Some(part) = bisection.next() {
            let (run, policy) = (run.clone(), self.policy.clone());
            match self.store.apply_users(run, policy, self.store.now(), part.clone()).await {
                Err(StoreError::Refused(why)) => {
                    bisection.halve_or_skip(part, &why);
                }
                counters => {
                    let counters = counters?.ok_or(SyncError::LeaseLost)?;
                    created += counters.created;
                    updated += counters.updated;
                }
            }
        }
        if created > 0 || updated > 0 {
            tracing::info!(created, updated, "the watch brought in what no event had");
        }
        self.wake_write_back();
        Ok(())
    }

    /// An event may be on its way, so the same difference must be met twice; one that a reconcile
    /// leaves enqueues no other.
    async fn compare_counts(&self, state: &mut WatchState, quiet: bool) -> Result<(), SyncError> {
        let theirs = self.directory.count(Priority::Background).await?;
        let ours = self.store.count_live_users(self.source()).await?;
        let difference = i64::try_from(theirs).unwrap_or(i64::MAX).saturating_sub(ours);
        let before = std::mem::replace(&mut state.difference, difference);
        if difference == 0 {
            state.requested_for = None;
        } else if difference == before && state.requested_for != Some(difference) && !quiet {
            self.enqueue_reconcile("the provider counts another number of users").await?;
            state.requested_for = Some(difference);
        }
        Ok(())
    }

    async fn enqueue_reconcile(&self, why: &'static str) -> Result<(), StoreError> {
        let kind = JobKind::Reconcile;
        let request = JobRequest { kind, dry_run: false, allow_mass_delete: false };
        let (job, is_new) = self.enqueue_job(request).await?;
        if is_new {
            tracing::info!(job = job.id, why, "a reconcile was asked for");
        }
        Ok(())
    }
}

/// How often a replica tries to lease the run.
fn poll_interval(interval: Duration) -> Duration {
    (interval / 10).clamp(Duration::from_millis(100), Duration::from_secs(5))
}
