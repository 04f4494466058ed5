//! The provider's API as the service uses it: read a user, list users, write metadata.
//!
//! Implemented in the provider's folder, called by `sync` alone. Every call has a priority and takes
//! from the [`Budget`], which is shared with other replicas.

use crate::domain::{MetadataPatch, Snapshot, Timestamp};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub type ApiFuture<'a, T, E = ApiError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A user or an operator waits: the call goes first, and fails soon where it cannot be made now.
    Interactive,
    /// A job or a worker, which can wait.
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

pub trait Directory: Send + Sync {
    fn user<'a>(&'a self, external_id: &'a str, priority: Priority) -> ApiFuture<'a, Snapshot>;

    fn users<'a>(&'a self, query: &'a ListQuery, priority: Priority) -> ApiFuture<'a, Page>;

    fn count(&self, priority: Priority) -> ApiFuture<'_, u64>;

    /// Merges values into a user's public metadata, and returns the user as of then.
    fn fill<'a>(
        &'a self,
        external_id: &'a str,
        fill: &'a MetadataPatch,
        priority: Priority,
    ) -> ApiFuture<'a, Snapshot>;

    /// The ids of the instance, or instances, that the API key belongs to.
    fn instances(&self, priority: Priority) -> ApiFuture<'_, Vec<String>>;
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    pub order: ListOrder,
    pub position: Position,
    /// Users a page, 1 to 500.
    pub limit: u16,
    /// Inclusive.
    pub created_from: Option<Timestamp>,
    /// Only these users, at most [`ListQuery::MOST_IDS`]; empty for all.
    pub ids: Vec<String>,
}

impl ListQuery {
    pub const MOST_IDS: usize = 100;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListOrder {
    /// Ascending by creation: the only order in which a page can begin after a user.
    #[default]
    Created,
    /// Descending by the last change.
    NewestUpdated,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Position {
    #[default]
    First,
    /// After this user, who must still exist.
    After(String),
    /// After this many users.
    Offset(u32),
}

#[derive(Clone, Debug, Default)]
pub struct Page {
    pub users: Vec<Snapshot>,
    /// How many more users the page had, whose JSON could not be read.
    pub unreadable: usize,
    /// How many of these came after the last user that could be read.
    pub unreadable_last: usize,
    pub unreadable_ids: Vec<String>,
}

#[derive(
    Clone, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantNames, thiserror::Error,
)]
#[strum(serialize_all = "snake_case")]
pub enum ApiError {
    #[error("the provider knows no such user")]
    NotFound,
    #[error(
        "the provider refuses the API key ({0}); is CLERK_SECRET_KEY right, and of the right instance?"
    )]
    Unauthorized(u16),
    #[error("the provider's rate limit, or our budget below it, is used up")]
    RateLimited { retry_after: Duration },
    #[error("the provider is unavailable: {why}")]
    Unavailable {
        /// Without data of a user.
        why: String,
        retry_after: Duration,
        /// Whether the call may have had its effect.
        outcome_unknown: bool,
    },
    /// The provider understood, and a repeat would be refused too.
    #[error("the provider refuses what was sent: status {status}, {code}")]
    Rejected { status: u16, code: String },
    #[error("the provider's answer cannot be understood: {0}")]
    Protocol(String),
}

/// The outcome of a successful call, beside the codes of [`ApiError`].
pub const API_OK: &str = "ok";

impl ApiError {
    pub const CODES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// The word that is stored, counted and logged.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Whether the call may have had its effect: the caller reads again before it repeats the call.
    pub const fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Unavailable { outcome_unknown: true, .. } | Self::Protocol(_))
    }
}

/// Tells the time by which fetches are ordered, on all replicas alike.
pub type FetchClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How many calls may be made: the provider's limit is one for all replicas, and for the
/// application's own calls too (trap 37).
pub trait Budget: Send + Sync {
    fn take(&self, priority: Priority) -> ApiFuture<'_, (), BudgetError>;

    /// Counts a call about one user, of which the provider takes few.
    fn take_about<'a>(&'a self, user: &'a str) -> ApiFuture<'a, (), BudgetError>;
}

/// Why no call is to be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetError {
    UsedUp {
        retry_after: Duration,
    },
    /// Calls cannot be counted: the database fails.
    Uncounted {
        retry_after: Duration,
    },
}

impl BudgetError {
    pub const fn retry_after(self) -> Duration {
        match self {
            Self::UsedUp { retry_after } | Self::Uncounted { retry_after } => retry_after,
        }
    }
}

impl From<BudgetError> for ApiError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::UsedUp { retry_after } => Self::RateLimited { retry_after },
            BudgetError::Uncounted { retry_after } => Self::Unavailable {
                why: "not asked, since our database cannot count the call".to_owned(),
                retry_after,
                outcome_unknown: false,
            },
        }
    }
}
