//! The quarantine: deliveries that cannot be applied are kept, and replayed on request.
//!
//! Called by `commit` and by `usersync replay`. A replay is verified already and takes the way of
//! every other delivery, with the envelope that it came in. Bodies are redacted before they are
//! stored.

use super::commit::Committer;
use super::queue::Submission;
use super::{DeliveryOutcome, Ingest, Unavailable};
use crate::domain::{Outcome, QuarantineReason};
use crate::provider::{Provider, redaction};
use crate::store::quarantine::{Admission, QuarantineEntry};
use crate::store::{Store, StoreError};
use crate::webhook::Verified;

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("no message {0} is quarantined; `usersync replay --list` shows which are")]
    NotQuarantined(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Submits a quarantined message again; once it has another outcome, its body is deleted.
pub async fn replay(
    ingest: &Ingest,
    store: &Store,
    provider: &Provider,
    message_id: &str,
) -> Result<DeliveryOutcome, ReplayError> {
    let body = store.quarantined_body(Provider::SOURCE, message_id.to_owned()).await?;
    let Some(body) = body else {
        return Err(ReplayError::NotQuarantined(message_id.to_owned()));
    };
    let delivery = Verified::from_quarantine(message_id.to_owned(), body.into());
    let event = provider.parse(&delivery);
    Ok(ingest.submit(delivery, event).await?)
}

/// What became of a delivery that cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuarantineResult {
    /// It is stored, or needs not be: its sender has a 2xx.
    Recorded,
    /// It is not stored; the sender is to retry.
    Rejected(Unavailable),
    /// Likewise, because the database is away.
    Away,
}

impl Committer {
    pub(super) fn quarantine(
        &mut self,
        submission: Submission,
        reason: QuarantineReason,
        path: Option<&str>,
    ) -> QuarantineResult {
        let body = submission.delivery.body();
        let subjects = redaction::subjects(body);
        let is_kept = subjects.len() <= redaction::MOST_SUBJECTS;
        let entry = QuarantineEntry {
            source: self.defaults.source,
            message_id: submission.delivery.message_id(),
            event_type: &submission.event.event_type,
            reason: reason.as_str(),
            path,
            body: if is_kept { redaction::redact(body) } else { Vec::new() },
            subjects: if is_kept { subjects } else { Vec::new() },
            now: self.writer.now(),
        };
        let admission = self.writer.quarantine(&entry).or_else(|_| self.writer.quarantine(&entry));
        self.writer.mark_wal_dirty();
        let (outcome, user_id) = match admission {
            Ok(Admission::Kept) => (Outcome::Quarantined(reason), None),
            Ok(Admission::Duplicate(user_id)) => (Outcome::Duplicate, user_id),
            Ok(Admission::Tombstoned(user_id)) => (Outcome::Tombstoned, Some(user_id)),
            Ok(Admission::Full) => {
                submission.reject(Unavailable::QuarantineFull);
                return QuarantineResult::Rejected(Unavailable::QuarantineFull);
            }
            Err(error) => {
                self.reject_all(vec![submission], &error.to_string());
                return match error {
                    StoreError::Refused(_) => QuarantineResult::Rejected(Unavailable::DatabaseAway),
                    _ => QuarantineResult::Away,
                };
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
        QuarantineResult::Recorded
    }

    /// Deletes the bodies of messages that have another outcome now. Where that fails, retention does
    /// it.
    pub(super) fn delete_quarantined(&mut self, message_ids: &[String]) {
        self.writer.mark_wal_dirty();
        if let Err(error) = self.writer.delete_quarantined(self.defaults.source, message_ids) {
            tracing::warn!(
                "a body that was replayed stays in the quarantine for a minute: {error}"
            );
        }
    }
}
