//! What an operator sets for a user: a role and a plan, each beside the snapshot's own value.
//!
//! Made by `http` from a PATCH, written by `store`. An override ends by another PATCH, or when the
//! provider has acknowledged it. Until then it outranks the snapshot's value: in
//! `store::stored_user`, and in the upsert of `store::batch::sql`.

use std::fmt;

/// The changes that an operator, or an acknowledgement, makes to a user's overrides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverrideChanges {
    pub role: OverrideChange,
    pub plan: OverrideChange,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OverrideChange {
    /// Leaves it as it is, set or not.
    #[default]
    Keep,
    Clear,
    Set(String),
}

impl fmt::Display for OverrideChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Keep => "(as it is)",
            Self::Clear => "(nothing)",
            Self::Set(word) => word,
        })
    }
}

impl OverrideChange {
    /// The override after this change of `before`.
    pub fn apply(&self, before: Option<&str>) -> Option<String> {
        match self {
            Self::Keep => before.map(str::to_owned),
            Self::Clear => None,
            Self::Set(word) => Some(word.clone()),
        }
    }
}

/// An answer of the provider, as far as it can acknowledge overrides.
#[derive(Clone, Copy, Debug)]
pub struct AnswerAge {
    /// The row holds something newer than the answer.
    pub was_overtaken: bool,
    /// No operator has set anything since the provider was asked.
    pub follows_override: bool,
}

impl AnswerAge {
    /// What the answer changes in the override `value`, where `sent` was sent and the row now shows
    /// `shown`. A value that was sent is acknowledged once the row shows it, or something newer than
    /// the answer; one that was not sent only where the row shows it and the answer is about it.
    pub fn acknowledge(
        self,
        value: Option<&str>,
        sent: Option<&str>,
        shown: Option<&str>,
    ) -> OverrideChange {
        let is_shown = value == shown;
        let is_done = if value == sent {
            is_shown || self.was_overtaken
        } else {
            is_shown && self.follows_override
        };
        if value.is_some() && is_done { OverrideChange::Clear } else { OverrideChange::Keep }
    }
}

#[cfg(test)]
mod tests {
    use super::{AnswerAge, OverrideChange};

    const ADMIN: Option<&str> = Some("admin");
    const CURRENT: AnswerAge = AnswerAge { was_overtaken: false, follows_override: true };

    #[test]
    fn a_value_that_was_sent_is_acknowledged_by_a_row_that_shows_it_or_something_newer() {
        assert_eq!(CURRENT.acknowledge(ADMIN, ADMIN, ADMIN), OverrideChange::Clear);
        assert_eq!(CURRENT.acknowledge(ADMIN, ADMIN, Some("user")), OverrideChange::Keep);
        let overtaken = AnswerAge { was_overtaken: true, ..CURRENT };
        assert_eq!(overtaken.acknowledge(ADMIN, ADMIN, Some("user")), OverrideChange::Clear);
    }

    #[test]
    fn a_value_that_was_not_sent_is_acknowledged_only_by_an_answer_that_is_later() {
        assert_eq!(CURRENT.acknowledge(ADMIN, None, ADMIN), OverrideChange::Clear);
        assert_eq!(CURRENT.acknowledge(ADMIN, Some("user"), Some("user")), OverrideChange::Keep);
        let earlier = AnswerAge { was_overtaken: true, follows_override: false };
        assert_eq!(earlier.acknowledge(ADMIN, None, ADMIN), OverrideChange::Keep);
    }

    #[test]
    fn where_nothing_is_set_nothing_changes() {
        assert_eq!(CURRENT.acknowledge(None, None, None), OverrideChange::Keep);
    }
}
