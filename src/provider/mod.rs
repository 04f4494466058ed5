//! The window: everything that knows how an identity provider writes things down.
//!
//! A provider is one folder that implements [`Provider`]. Called by the front door, which
//! hands in verified deliveries, by a replay, and by `sync`, which asks a [`Directory`]
//! and reads an [`Export`]. It may
//! not touch the database, and nothing outside a provider's folder knows its payloads.

pub mod clerk;
mod directory;
mod export;
pub(crate) mod http;
mod json;

// There is one provider so far, so its redaction and its sessions are all there are.
pub use clerk::{redaction, session};

pub use directory::{
    API_OK, ApiError, ApiFuture, Budget, BudgetError, Call, Directory, ListOrder, ListQuery, Page,
    Position, Priority,
};
pub use export::{Export, ExportError};

use crate::domain::{Change, IgnoreReason, QuarantineReason, UnixMillis};
use crate::webhook::Verified;

/// What the rest of the house asks of a provider.
pub trait Provider: Send + Sync {
    /// The name under which this provider's rows are stored.
    fn source(&self) -> &'static str;

    /// Reads a verified delivery. Pure; never fails: what cannot be understood is
    /// [`EventEffect::Malformed`], and what is not for us [`EventEffect::Ignored`].
    fn parse(&self, delivery: &Verified) -> Event;
}

/// A verified delivery, understood as far as it can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The provider's word for what happened; empty where it could not be read.
    pub event_type: String,
    /// When it happened, by the envelope.
    pub sent_at: Option<UnixMillis>,
    /// The provider's instance that it comes from, where it says so.
    pub instance: Option<String>,
    /// What follows from it.
    pub effect: EventEffect,
}

/// What follows from an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventEffect {
    /// One user changes.
    Change(Change),
    /// Nothing: it is not for us. Its body is not kept.
    Ignored(IgnoreReason),
    /// It is for us but cannot be understood: kept for a replay.
    Malformed(QuarantineReason, Option<String>),
}
