//! What has had its time is dropped.

use super::commit::{Committer, now};
use crate::store::Moment;

/// How long a quarantined body is kept.
const QUARANTINE_DAYS: i64 = 30;

/// How long it is remembered that a user was not found at the provider.
const ABSENCE_DAYS: i64 = 30;

/// How long a message id, or a job, is remembered: longer than a sender retries (28 h), and than its
/// dashboard keeps messages for a manual replay.
const EVENT_DAYS: i64 = 90;

const MILLISECONDS_A_DAY: i64 = 24 * 60 * 60 * 1000;

impl Committer {
    /// Drops what has had its time. Returns whether there may be more.
    pub(super) fn run_retention(&mut self) -> bool {
        let days = |days: i64| {
            Moment::from_millis(now().timestamp().as_millisecond() - days * MILLISECONDS_A_DAY)
        };
        let (Some(oldest_body), Some(oldest_absence), Some(oldest_event)) =
            (days(QUARANTINE_DAYS), days(ABSENCE_DAYS), days(EVENT_DAYS))
        else {
            return false;
        };
        match self.writer.run_retention(oldest_body, oldest_absence, oldest_event) {
            Ok(0) => false,
            Ok(dropped) => {
                self.writer.mark_wal_dirty();
                tracing::info!(
                    dropped,
                    "dropped quarantined bodies, message ids, jobs and notes past their time"
                );
                true
            }
            Err(error) => {
                tracing::warn!("housekeeping failed and is tried again in a minute: {error}");
                false
            }
        }
    }
}
