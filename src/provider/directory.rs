//! The provider's API as the house uses it: look a user up, list users, fill in metadata.
//!
//! Implemented in each provider's folder, called by `sync` alone. Every call takes from the
//! [`Budget`], which is shared with other replicas, and says how urgent it is.

use crate::domain::{MetadataPatch, Snapshot, UnixMillis};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What a call comes to, later.
pub type ApiFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send + 'a>>;

/// Who waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A person or an operator: goes first, and is told soon where it cannot be done now.
    Interactive,
    /// A job or a worker: waits for its turn.
    Background,
}

/// A call of a [`Directory`], for metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Call {
    User,
    Users,
    Count,
    Fill,
    Instances,
}

impl Call {
    pub const WORDS: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The provider's users, as its API shows them.
pub trait Directory: Send + Sync {
    /// One user as of now.
    fn user<'a>(&'a self, external_id: &'a str, priority: Priority) -> ApiFuture<'a, Snapshot>;

    /// A page of users, in the order that the query asks for.
    fn users<'a>(&'a self, query: &'a ListQuery, priority: Priority) -> ApiFuture<'a, Page>;

    /// How many users there are.
    fn count(&self, priority: Priority) -> ApiFuture<'_, u64>;

    /// Writes values into a user's public metadata, beside what stands there, and returns the
    /// user as of then.
    fn fill<'a>(
        &'a self,
        external_id: &'a str,
        fill: &'a MetadataPatch,
        priority: Priority,
    ) -> ApiFuture<'a, Snapshot>;

    /// The ids of the instance, or instances, that the API key belongs to.
    fn instances(&self, priority: Priority) -> ApiFuture<'_, Vec<String>>;
}

/// Which users a page holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// In which order all of them stand.
    pub order: ListOrder,
    /// Where the page begins.
    pub position: Position,
    /// How many users at most, 1 to 500.
    pub limit: u16,
    /// Only users created at this instant or later.
    pub created_from: Option<UnixMillis>,
    /// Only users created before this instant.
    pub created_before: Option<UnixMillis>,
    /// Only these users, at most [`ListQuery::MOST_IDS`]; empty for any.
    pub ids: Vec<String>,
}

impl ListQuery {
    /// How many users may be named in one query.
    pub const MOST_IDS: usize = 100;
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListOrder {
    /// Ascending by creation: the only one in which a page can begin behind a user.
    #[default]
    Created,
    /// Whoever changed last comes first.
    NewestUpdated,
}

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// At the beginning.
    #[default]
    First,
    /// Behind this user, who must still exist.
    After(String),
    /// Behind this many users.
    Offset(u32),
}

/// A page of users.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Those who could be read.
    pub users: Vec<Snapshot>,
    /// How many more the page held that could not.
    pub unreadable: usize,
    /// How many of these stand behind everybody who could be read.
    pub unreadable_last: usize,
    /// Who these are, as far as they say it.
    pub unreadable_ids: Vec<String>,
}

/// Why a call brought nothing.
#[derive(
    Clone, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantNames, thiserror::Error,
)]
#[strum(serialize_all = "snake_case")]
pub enum ApiError {
    /// The provider knows no such user.
    #[error("the provider knows no such user")]
    NotFound,
    /// The API key is refused.
    #[error(
        "the provider refuses the API key ({0}); is CLERK_SECRET_KEY right, and of the right instance?"
    )]
    Unauthorized(u16),
    /// More was asked than may be.
    #[error("the provider's rate limit, or our budget below it, is used up")]
    RateLimited {
        /// When to come again.
        retry_after: Duration,
    },
    /// The provider cannot be reached, or cannot answer.
    #[error("the provider is unavailable: {why}")]
    Unavailable {
        /// Why, without any data.
        why: String,
        /// When to come again.
        retry_after: Duration,
        /// Whether the call may have had its effect all the same.
        outcome_unknown: bool,
    },
    /// The provider understood, and refuses for good.
    #[error("the provider refuses what was sent: status {status}, {code}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The provider's code.
        code: String,
    },
    /// The answer cannot be understood.
    #[error("the provider's answer cannot be understood: {0}")]
    Protocol(String),
}

/// The outcome of a call that brought what was asked for, beside the codes of [`ApiError`].
pub const API_OK: &str = "ok";

impl ApiError {
    pub const CODES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// The word that is stored, counted and logged.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Whether the call may have had its effect: then the next step is to look, not to repeat it.
    pub const fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Unavailable { outcome_unknown: true, .. } | Self::Protocol(_))
    }
}

/// How many calls may be made: the provider's limit is one for all replicas, and for the
/// application's own calls too (trap 37).
pub trait Budget: Send + Sync {
    /// Takes one call, or says when there will be another.
    fn take(
        &self,
        priority: Priority,
    ) -> Pin<Box<dyn Future<Output = Result<(), BudgetError>> + Send + '_>>;
}

/// The budget is used up, or cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetError {
    /// When to come again.
    pub retry_after: Duration,
}
