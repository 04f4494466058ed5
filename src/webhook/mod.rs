//! Verifies signed deliveries.
//!
//! Called by the webhook handler in `http`, in this order:
//!
//! 1. [`headers`]: the three signed headers, and whether the timestamp is near enough;
//! 2. [`verify`]: the signature over the raw bytes. Only this file can make a [`Verified`] delivery,
//!    and nothing behind it accepts anything else.
//!
//! [`secret`] holds the signing keys, [`rejection`] the reasons to refuse a request, and
//! [`diagnosis`] finds out why a signature does not match. Pure: knows no IO and no clock.

pub mod diagnosis;
pub mod headers;
pub mod rejection;
pub mod secret;
pub mod verify;

pub use rejection::Rejection;
pub use secret::{SigningSecret, SigningSecrets};
pub use verify::Verified;
