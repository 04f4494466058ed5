//! Many events of few users in random order, and the rows that must result.

use crate::support::{Rng, TestDatabase, deleted, message_id, user, user_id};
use std::collections::BTreeSet;

/// Every so many users, one is deleted.
const DELETED_EVERY: usize = 20;

pub struct Message {
    pub id: String,
    pub body: Vec<u8>,
}

pub struct Plan {
    pub messages: Vec<Message>,
    /// A line a user: id, status, last name.
    pub expected: BTreeSet<String>,
}

impl Plan {
    /// `events` messages about `users` users, as many about each, in random order.
    pub fn new(events: usize, users: usize, rng: &mut Rng) -> Self {
        let versions = events / users;
        let mut messages = Vec::with_capacity(events);
        let mut expected = BTreeSet::new();
        for number in 0..users {
            let id = user_id(number);
            let end = (number % DELETED_EVERY == 0).then(|| rng.below(versions));
            for version in 0..versions {
                messages.push(if end == Some(version) {
                    Message::of(&deleted(&id))
                } else {
                    Message::of(&user(&id, updated_at(version)))
                });
            }
            expected.insert(match end {
                Some(_) => format!("{id} deleted -"),
                None => format!("{id} active Version{}", updated_at(versions - 1)),
            });
        }
        rng.shuffle(&mut messages);
        Self { messages, expected }
    }

    /// Random numbers of acknowledged events at which something is to happen, none of them
    /// near the end, so that senders are at work then.
    pub fn moments(&self, count: usize, rng: &mut Rng) -> BTreeSet<usize> {
        let mut moments = BTreeSet::new();
        while moments.len() < count {
            moments.insert(1 + rng.below(self.messages.len() * 9 / 10));
        }
        moments
    }

    /// Checks that the tables hold every message and every user as planned, and that nothing
    /// was taken for malformed.
    pub fn check(&self, database: &TestDatabase) {
        assert_eq!(database.count("quarantine"), 0);
        let recorded = database.texts("SELECT message_id AS value FROM webhook_events");
        let recorded = BTreeSet::from_iter(recorded);
        let sent = self.messages.iter().map(|message| &message.id);
        let lost: Vec<&String> = sent.filter(|id| !recorded.contains(*id)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert_eq!(recorded.len(), self.messages.len());
        let rows = database.texts(
            "SELECT external_id || ' ' || status || ' ' || COALESCE(last_name, '-') AS value FROM users",
        );
        let rows = BTreeSet::from_iter(rows);
        let wrong: Vec<&String> = rows.symmetric_difference(&self.expected).collect();
        assert!(wrong.is_empty(), "found or missing: {wrong:#?}");
    }
}

impl Message {
    fn of(event: &serde_json::Value) -> Self {
        Self { id: message_id(), body: event.to_string().into_bytes() }
    }
}

fn updated_at(version: usize) -> i64 {
    1_700_000_000_000 + i64::try_from(version).unwrap()
}
