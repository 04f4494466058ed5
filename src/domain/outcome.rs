//! What became of a delivery, and why: the words that are answered, stored and counted.
//!
//! Every set is closed, so that metrics have bounded labels and scripts can rely on them.

use strum::{IntoStaticStr, VariantNames};

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Outcome {
    /// This delivery's version is now the row's, or it is the signed deletion.
    Applied,
    /// Something newer stands.
    Stale(StaleReason),
    /// The message was settled before, or came earlier in the same batch.
    Duplicate,
    /// The user is deleted, by another delivery.
    Tombstoned,
    /// Not for us.
    Ignored(IgnoreReason),
    /// Genuine, but it cannot be understood or stored; kept for a replay.
    Quarantined(QuarantineReason),
}

/// Why a snapshot was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum StaleReason {
    /// A greater version is stored or came in the same batch.
    Superseded,
    /// The user was seen to be absent later than this snapshot was taken.
    Absent,
}

/// Why a delivery is none of our business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum IgnoreReason {
    /// A type of event that we do not handle.
    EventType,
    /// It comes from another instance of the provider than the configured ones.
    WrongInstance,
}

/// Why a genuine delivery could not be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum QuarantineReason {
    /// The body is not a JSON object.
    InvalidJson,
    /// A field without which nothing can be done is missing.
    MissingField,
    /// A field that we map has another JSON type.
    WrongType,
    /// A time that no database can hold.
    OutOfRange,
    /// The database refused the row, three times and alone.
    #[strum(serialize = "refused_by_database")]
    Refused,
}

impl Outcome {
    /// Every word that [`Outcome::as_str`] can give.
    pub const WORDS: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    /// The word that is answered, stored and counted.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// The reason, where the word alone does not say it.
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
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

impl IgnoreReason {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

impl QuarantineReason {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}
