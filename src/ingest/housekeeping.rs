//! What has had its time is dropped, and deleted bytes leave SQLite's log.

use super::commit::{Committer, now};
use crate::store::Moment;

/// How long a quarantined body is kept.
const QUARANTINE_DAYS: i64 = 30;

/// How long it is remembered that a user was not found at the provider.
const ABSENCE_DAYS: i64 = 30;

/// How long a message id is remembered: longer than a sender retries (28 h), and than its
/// dashboard keeps messages for a manual replay.
const EVENT_DAYS: i64 = 90;

const MILLISECONDS_A_DAY: i64 = 24 * 60 * 60 * 1000;

impl Committer {
    /// Whether deleted bytes may still stand in SQLite's log.
    pub(super) fn log_is_dirty(&self) -> bool {
        self.log_is_dirty
    }

    /// Notes that bytes were deleted.
    pub(super) fn soil_log(&mut self) {
        self.log_is_dirty = self.writer.has_log();
    }

    /// Drops what has had its time. Returns whether there may be more.
    pub(super) fn tidy(&mut self) -> bool {
        let days = |days: i64| {
            Moment::from_millis(now().timestamp().as_millisecond() - days * MILLISECONDS_A_DAY)
        };
        let (Some(oldest_body), Some(oldest_absence), Some(oldest_event)) =
            (days(QUARANTINE_DAYS), days(ABSENCE_DAYS), days(EVENT_DAYS))
        else {
            return false;
        };
        match self.writer.tidy(oldest_body, oldest_absence, oldest_event) {
            Ok(0) => false,
            Ok(dropped) => {
                self.soil_log();
                tracing::info!(
                    dropped,
                    "dropped quarantined bodies, message ids and notes past their time"
                );
                true
            }
            Err(error) => {
                tracing::warn!("housekeeping failed and is tried again in a minute: {error}");
                false
            }
        }
    }

    /// On SQLite, takes deleted bytes out of the log, where no reader prevents it.
    pub(super) fn clean_log(&mut self) {
        if self.log_is_dirty {
            self.log_is_dirty = !self.writer.truncate_log().unwrap_or(false);
        }
    }
}
