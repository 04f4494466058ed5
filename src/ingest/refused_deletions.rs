//! Signed deletions that the database refuses, as an application's trigger or constraint makes it:
//! kept in memory, so that they are tried anew each minute.
//!
//! Used by `commit`. Their senders are answered 503 and come again too; what is forgotten here, at a
//! restart or beyond the bound, is lost for no more than that.

use super::Unavailable;
use super::queue::Submission;
use crate::telemetry::Throttle;
use std::collections::BTreeMap;
use std::time::Instant;

const MOST: usize = 1_000;

/// A deletion's body has some hundred bytes.
const MOST_BYTES: usize = 16 * 1024;

#[derive(Default)]
pub(super) struct RefusedDeletions {
    by_message: BTreeMap<String, Submission>,
    throttle: Throttle,
}

impl RefusedDeletions {
    /// Rejects the delivery, and remembers it.
    pub(super) fn add(&mut self, mut deletion: Submission, why: &str) {
        let message_id = deletion.delivery.message_id().to_owned();
        if let Some(suppressed) = self.throttle.pass(Instant::now()) {
            tracing::error!(
                event.id = message_id,
                suppressed,
                "a signed deletion cannot be applied, and the person's data stays until it is: the database \
                 refused: {why}; mend the trigger or the constraint"
            );
        }
        deletion.answer(Err(Unavailable::DeletionRefused));
        self.keep(deletion);
    }

    /// Remembers a delivery that is answered, within bounds.
    pub(super) fn keep(&mut self, deletion: Submission) {
        let message_id = deletion.delivery.message_id().to_owned();
        let is_small = deletion.delivery.body().len() <= MOST_BYTES;
        if is_small && (self.by_message.len() < MOST || self.by_message.contains_key(&message_id)) {
            self.by_message.insert(message_id, deletion);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Submission> {
        std::mem::take(&mut self.by_message).into_values().collect()
    }
}
