//! Verifies signed deliveries.
//!
//! Called by the webhook handler in `http`: [`headers`] first, then, with the body, [`verify`],
//! which alone can make a [`Verified`] delivery. [`secret`] holds the signing keys, [`rejection`]
//! the reasons to refuse a request, [`diagnosis`] explains a mismatch. Pure: no IO, no clock, no
//! other module of the crate.

pub mod diagnosis;
pub mod headers;
pub mod rejection;
pub mod secret;
pub mod verify;

pub use rejection::Rejection;
pub use secret::{SigningSecret, SigningSecrets};
pub use verify::Verified;
