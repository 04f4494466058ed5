//! Session tokens: who is behind a request, by the provider's signature.
//!
//! [`publishable`] reads the publishable key, which names the instance. Called by
//! configuration. May not touch the database.

mod publishable;

pub use publishable::PublishableKey;
