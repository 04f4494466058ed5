//! What cannot be applied is kept, and let go once it is settled.

use super::commit::{Committer, now};
use super::queue::Submission;
use super::{DeliveryOutcome, Unavailable};
use crate::domain::{Outcome, QuarantineReason};
use crate::provider::redaction;
use crate::store::StoreError;
use crate::store::quarantine::{Admission, QuarantineEntry};

impl Committer {
    /// Keeps a delivery for a replay. Returns whether the database was there.
    pub(super) fn quarantine(
        &mut self,
        submission: Submission,
        reason: QuarantineReason,
        path: Option<&str>,
    ) -> bool {
        let body = submission.delivery.body();
        let entry = QuarantineEntry {
            source: self.defaults.source,
            message_id: submission.delivery.message_id(),
            kind: &submission.event.event_type,
            reason: reason.as_str(),
            path,
            body: redaction::redact(body),
            subjects: redaction::subjects(body),
            now: now(),
        };
        let admission = self.writer.quarantine(&entry).or_else(|_| self.writer.quarantine(&entry));
        self.writer.mark_wal_dirty();
        let (outcome, user_id) = match admission {
            Ok(Admission::Kept) => (Outcome::Quarantined(reason), None),
            Ok(Admission::Duplicate(user_id)) => (Outcome::Duplicate, user_id),
            Ok(Admission::Tombstoned(user_id)) => (Outcome::Tombstoned, Some(user_id)),
            Ok(Admission::Full) => {
                submission.reject(Unavailable::QuarantineFull);
                return true;
            }
            Err(error) => {
                self.reject_all(vec![submission], &error.to_string());
                return matches!(error, StoreError::Refused(_));
            }
        };
        if let Outcome::Quarantined(reason) = outcome {
            tracing::warn!(
                event.id = submission.delivery.message_id(),
                event.type = submission.event.event_type,
                reason = reason.as_str(),
                path,
                "a genuine delivery cannot be applied; it is quarantined: see `usersync replay --list`"
            );
        }
        self.reply(submission, DeliveryOutcome { outcome, user_id });
        true
    }

    /// Drops what was kept of messages that are settled now. Where it fails, housekeeping
    /// does it.
    pub(super) fn release(&mut self, message_ids: &[String]) {
        self.writer.mark_wal_dirty();
        if let Err(error) = self.writer.release(self.defaults.source, message_ids) {
            tracing::warn!("a healed delivery stays in the quarantine for a minute: {error}");
        }
    }
}
