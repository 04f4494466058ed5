//! What the provider is to be told: an outbox of one row a user, and the lease on each.
//!
//! Rows come to be in the transaction of the change that calls for them (`batch::sql::enqueued`,
//! [`notes`]). A worker of `sync` claims some ([`claims`]), looks, sends and settles
//! ([`settling`]); operators read the [`listing`]. All times are the database's clock; each claim
//! raises the row's fence, and whoever holds an older one changes nothing any more. Tables are
//! touched in one order: users, then this one.

mod claims;
mod listing;
mod notes;
mod settling;

pub use claims::{Reschedule, WriteBackLease};
pub use listing::WriteBackRecord;
pub(super) use notes::{earlier, enqueue_override};
pub use settling::{Acknowledgement, WriteBackStatus};

use super::stored_user::StoredUser;
use crate::domain::write_back::{self, WriteBackPlan};
use crate::domain::{Entitlements, MetadataNames};
use crate::store::row_defaults::RowDefaults;
use serde_json::{Map, Value};

/// What a write-back's state can be: due, or why it rests.
pub const STATES: [&str; 5] = ["due", "conflict_id", "conflict_role", "rejected", "held_back"];

/// What holds for deciding what to send.
#[derive(Clone, Debug)]
pub struct WriteBackPolicy {
    /// What holds for every row.
    pub defaults: RowDefaults,
    /// Known roles and plans.
    pub entitlements: Entitlements,
    /// Where our values stand.
    pub names: MetadataNames,
}

impl WriteBackPolicy {
    /// What is to be done about a user.
    pub fn plan(&self, stored: &StoredUser, take_over: bool) -> WriteBackPlan {
        let public_metadata: Map<String, Value> =
            serde_json::from_str(&stored.public_metadata.0).unwrap_or_default();
        let input = write_back::WriteBackInput {
            id: &stored.id,
            set_role: stored.set_role.as_deref(),
            set_plan: stored.set_plan.as_deref(),
            public_metadata: &public_metadata,
        };
        write_back::plan(input, &self.names, &self.entitlements.roles, take_over)
    }
}
