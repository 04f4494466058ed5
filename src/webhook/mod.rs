//! The front door: a signed request comes in, an outcome goes out.
//!
//! Called by the route table in `http`. A delivery passes through these files in order:
//!
//! 1. [`headers`]: the three signed headers, and whether the timestamp is near enough;
//! 2. [`body`]: the raw bytes, within limits of size, time and memory;
//! 3. [`verify`]: the signature. Only this file can make a [`Verified`] delivery, and
//!    nothing behind it accepts anything else;
//! 4. [`receive`]: the five steps of a delivery, from request to answer.
//!
//! [`secret`] holds the signing keys, [`rejection`] the reasons to turn a request away, and
//! [`diagnosis`] finds out why a signature does not match.

pub mod body;
pub mod diagnosis;
pub mod headers;
pub mod receive;
pub mod rejection;
pub mod secret;
pub mod verify;

pub use rejection::Rejection;
pub use secret::{SigningSecret, SigningSecrets};
pub use verify::Verified;
