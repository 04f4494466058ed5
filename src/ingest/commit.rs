//! Commits batches of deliveries, and finds the delivery for which a commit fails.
//!
//! Owned by the writer thread. A batch that the database refuses is tried once more, then halved
//! until one delivery is alone; only after three refusals alone, on a connection that is alive and
//! takes another row, is it quarantined. While the database is away no delivery is at fault, and
//! every sender is asked to retry. A signed deletion is never quarantined for a refusal.

use super::merge::{BatchItem, merge_batch};
use super::quarantine::QuarantineResult;
use super::queue::Submission;
use super::refused_deletions::RefusedDeletions;
use super::{DeliveryOutcome, Unavailable};
use crate::domain::{Outcome, QuarantineReason};
use crate::provider::EventEffect;
use crate::store::batch::{Batch, DeliveryResult};
use crate::store::{RowDefaults, StoreError, Writer};
use crate::telemetry::{Metrics, Throttle};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

const TRIES_TOGETHER: u32 = 2;

const TRIES_ALONE: u32 = 3;

/// Attempts while the database is away: the second is on a new connection, because a server that
/// restarted is often back already.
const TRIES_AWAY: u32 = 2;

/// The pause between attempts, so that replicas that collided do not collide again.
const JITTER_MS: Range<u64> = 2..34;

/// Reason given for a batch that was behind one for which the database was away.
pub(super) const SAME_OUTAGE: &str = "the same outage";

pub(super) struct Committer {
    pub(super) writer: Writer,
    pub(super) defaults: RowDefaults,
    wake: Arc<Notify>,
    metrics: Arc<Metrics>,
    away: Throttle,
    refused_deletions: RefusedDeletions,
}

struct BatchResult {
    /// One per delivery of the batch, in its order.
    outcomes: Vec<DeliveryOutcome>,
    /// Message ids whose earlier outcome was quarantined or ignored: a quarantined body is deleted.
    retried: Vec<String>,
    deletes: bool,
}

impl Committer {
    pub(super) fn new(
        writer: Writer,
        defaults: RowDefaults,
        wake: Arc<Notify>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let away = Throttle::default();
        // A process that died may have left deleted bytes in SQLite's WAL.
        writer.mark_wal_dirty();
        let refused_deletions = RefusedDeletions::default();
        Self { writer, defaults, wake, metrics, away, refused_deletions }
    }

    /// Replies to every delivery of the batch. Returns whether the database was reachable.
    pub(super) fn commit_batch(&mut self, batch: Vec<Submission>) -> bool {
        self.metrics.observe_batch_size(batch.len());
        let malformed = |one: &Submission| matches!(one.event.effect, EventEffect::Malformed(..));
        let (malformed, regular): (Vec<_>, Vec<_>) = batch.into_iter().partition(malformed);
        let mut database_up = regular.is_empty() || self.commit_or_halve(regular);
        let mut results: HashMap<String, QuarantineResult> = HashMap::new();
        for submission in malformed {
            let message_id = submission.delivery.message_id().to_owned();
            let result = match (results.get(&message_id), &submission.event.effect) {
                // Copies share what became of the first one: none is answered 2xx unless it is kept.
                (Some(result), _) => self.reply_to_copy(submission, *result),
                (None, EventEffect::Malformed(reason, path)) if database_up => {
                    let (reason, path) = (*reason, path.clone());
                    self.quarantine(submission, reason, path.as_deref())
                }
                _ => {
                    self.reject_all(vec![submission], SAME_OUTAGE);
                    QuarantineResult::Away
                }
            };
            database_up &= result != QuarantineResult::Away;
            results.insert(message_id, result);
        }
        database_up
    }

    fn reply_to_copy(&self, copy: Submission, first: QuarantineResult) -> QuarantineResult {
        match first {
            QuarantineResult::Recorded => {
                self.reply(copy, DeliveryOutcome { outcome: Outcome::Duplicate, user_id: None });
            }
            QuarantineResult::Rejected(reason) => copy.reject(reason),
            QuarantineResult::Away => copy.reject(Unavailable::DatabaseAway),
        }
        first
    }

    /// Likewise, for deliveries that were parsed; halves what the database refuses.
    fn commit_or_halve(&mut self, mut submissions: Vec<Submission>) -> bool {
        let most_refused = if submissions.len() == 1 { TRIES_ALONE } else { TRIES_TOGETHER };
        let (mut refused, mut away) = (0, 0);
        let mut refusal = String::new();
        while refused < most_refused {
            match self.attempt(&submissions) {
                Ok(result) => {
                    self.reply_all(submissions, result);
                    return true;
                }
                Err(error) if error.is_refusal() => {
                    refused += 1;
                    refusal = error.reason();
                    tracing::debug!(
                        deliveries = submissions.len(),
                        "the database refused a batch: {refusal}"
                    );
                }
                Err(error) => {
                    away += 1;
                    if away == TRIES_AWAY {
                        self.reject_all(submissions, &error.reason());
                        return false;
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(fastrand::u64(JITTER_MS)));
        }
        let second_half = submissions.split_off(submissions.len().div_ceil(2));
        if second_half.is_empty() {
            return submissions.into_iter().all(|alone| self.give_up(alone, &refusal));
        }
        if self.commit_or_halve(submissions) {
            return self.commit_or_halve(second_half);
        }
        // The other half would wait for the same connection once more.
        self.reject_all(second_half, SAME_OUTAGE);
        false
    }

    /// A delivery that the database refused three times alone. Returns whether the database works.
    fn give_up(&mut self, alone: Submission, why: &str) -> bool {
        // Where any row is refused, the installation is at fault and not this delivery.
        if let Err(error) = self.writer.try_out(self.defaults.source) {
            self.reject_all(vec![alone], &format!("no row can be written: {error}"));
            return false;
        }
        if matches!(&alone.event.effect, EventEffect::Change(change) if change.is_deletion()) {
            self.refused_deletions.add(alone, why);
            return true;
        }
        self.quarantine(alone, QuarantineReason::Refused, None) != QuarantineResult::Away
    }

    /// Tries anew to apply the deletions that were refused, without waiting for the provider.
    pub(super) fn retry_refused_deletions(&mut self) {
        let mut is_away = false;
        for deletion in self.refused_deletions.take() {
            let alone = vec![deletion];
            // While the database is away each would wait for it, and the deliveries with them.
            let result = if is_away { None } else { Some(self.attempt(&alone)) };
            is_away |= matches!(&result, Some(Err(error)) if !error.is_refusal());
            match result {
                Some(Ok(result)) => self.reply_all(alone, result),
                _ => alone.into_iter().for_each(|deletion| self.refused_deletions.keep(deletion)),
            }
        }
    }

    fn attempt(&mut self, submissions: &[Submission]) -> Result<BatchResult, StoreError> {
        let started = Instant::now();
        let items: Vec<BatchItem<'_>> =
            submissions.iter().map(|one| (one.delivery.message_id(), &one.event)).collect();
        let defaults = self.defaults;
        let batch = merge_batch(&items, defaults, self.writer.now(), |id| defaults.new_id(id));
        let results =
            self.writer.commit(&batch).map_err(|error| match error.after(started.elapsed()) {
                StoreError::Refused(why) if !self.writer.is_alive() => StoreError::Away(why),
                error => error,
            })?;
        Ok(BatchResult::new(submissions, &batch, &results))
    }

    fn reply_all(&mut self, submissions: Vec<Submission>, result: BatchResult) {
        if result.deletes {
            self.writer.mark_wal_dirty();
        }
        if self.defaults.write_back {
            self.wake.notify_one();
        }
        if !result.retried.is_empty() {
            self.delete_quarantined(&result.retried);
        }
        for (submission, outcome) in submissions.into_iter().zip(result.outcomes) {
            self.reply(submission, outcome);
        }
    }

    pub(super) fn reply(&self, mut submission: Submission, delivered: DeliveryOutcome) {
        let Submission { delivery, event, .. } = &submission;
        let outcome = delivered.outcome;
        self.metrics.count_delivery(&event.event_type, outcome.as_str());
        if let (Outcome::Applied, Some(sent_at)) = (outcome, event.sent_at) {
            self.metrics.observe_event_lag_ms(self.writer.now().as_millis() - sent_at.as_millis());
        }
        tracing::debug!(
            event.id = delivery.message_id(),
            event.type = event.event_type,
            outcome = outcome.as_str(),
            reason = outcome.reason(),
            user.id = delivered.user_id,
            "delivery committed"
        );
        submission.answer(Ok(delivered));
    }

    pub(super) fn reject_all(&self, submissions: Vec<Submission>, why: &str) {
        if let Some(suppressed) = self.away.pass(Instant::now()) {
            tracing::error!(suppressed, "deliveries are answered 503, the database is away: {why}");
        }
        for submission in submissions {
            submission.reject(Unavailable::DatabaseAway);
        }
    }
}

impl BatchResult {
    fn new(submissions: &[Submission], batch: &Batch<'_>, results: &[DeliveryResult]) -> Self {
        let mut replied = HashSet::new();
        let outcome = |submission: &Submission| {
            let message_id = submission.delivery.message_id();
            let listed = batch.deliveries.binary_search_by_key(&message_id, |one| one.message_id);
            let index = listed.ok()?;
            let result = results.get(index)?;
            let is_first = replied.insert(index);
            let outcome = if is_first { result.outcome } else { Outcome::Duplicate };
            Some(DeliveryOutcome { outcome, user_id: result.user_id.clone() })
        };
        let retried = batch.deliveries.iter().zip(results);
        Self {
            outcomes: submissions.iter().filter_map(outcome).collect(),
            retried: retried
                .filter(|(_, result)| result.retried)
                .map(|(delivery, _)| delivery.message_id.to_owned())
                .collect(),
            deletes: batch.users.iter().any(|user| user.merged.winner.is_deletion()),
        }
    }
}
