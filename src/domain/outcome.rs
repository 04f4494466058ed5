//! Outcomes of deliveries: the words that are answered, stored and counted.
//!
//! Every set is closed, so that metrics have bounded labels and scripts can rely on the words.

use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Outcome {
    /// This delivery's version is now the row's, or it is the signed deletion.
    Applied,
    /// The row, or another delivery of the batch, is newer.
    Stale(StaleReason),
    /// The message has an outcome already, or came earlier in the batch.
    Duplicate,
    /// Another delivery is the user's signed deletion.
    Tombstoned,
    Ignored(IgnoreReason),
    /// Genuine, but unreadable or refused by the database; kept for a replay.
    Quarantined(QuarantineReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum StaleReason {
    Superseded,
    /// The provider did not know the user, later than this snapshot.
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum IgnoreReason {
    /// A type that is not handled.
    EventType,
    /// Another instance of the provider than the configured ones.
    WrongInstance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum QuarantineReason {
    InvalidJson,
    /// A required field is missing.
    MissingField,
    /// A mapped field has another JSON type.
    WrongType,
    /// A time that no database can store.
    OutOfRange,
    /// The database refused the row three times, alone in its batch.
    #[strum(serialize = "refused_by_database")]
    Refused,
}

impl Outcome {
    pub const WORDS: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// The reason, where the outcome has one.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Applied | Self::Duplicate | Self::Tombstoned => None,
            Self::Stale(why) => Some(why.as_str()),
            Self::Ignored(why) => Some(why.as_str()),
            Self::Quarantined(why) => Some(why.as_str()),
        }
    }
}

impl StaleReason {
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

impl IgnoreReason {
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

impl QuarantineReason {
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}
