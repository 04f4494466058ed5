//! Everything that knows how an identity provider writes its users and events, and the only outward
//! HTTP.
//!
//! A provider is one folder. Called by `http` with verified deliveries and session tokens, by `ingest`
//! for replays, by `config`, and by `sync`, which calls a [`Directory`] and reads exported files. It
//! must not touch the database, and nothing outside a provider's folder knows its payloads.

pub mod clerk;
mod directory;
pub(crate) mod http;
mod json;

// There is one provider, so what its folder has is all there is.
pub use clerk::{Clerk as Provider, ExportError, redaction, session};

pub use directory::{
    API_OK, ApiError, ApiFuture, Budget, BudgetError, Call, Directory, FetchClock, ListOrder,
    ListQuery, Page, Position, Priority,
};

use crate::domain::{Change, IgnoreReason, QuarantineReason, Timestamp};

/// A verified delivery, read as far as it can be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The provider's `type`; empty where it could not be read.
    pub event_type: String,
    pub sent_at: Option<Timestamp>,
    /// The provider's instance, where the envelope names one.
    pub instance: Option<String>,
    pub effect: EventEffect,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventEffect {
    Change(Change),
    /// The body is not kept.
    Ignored(IgnoreReason),
    /// Kept for a replay, with the path of the value that is malformed.
    Malformed(QuarantineReason, Option<String>),
}
