//! The desk: who is asking, and what they may do.
//!
//! Called by `http` before any route that is not public, and to learn where a browser may be sent.
//! Knows tokens of operators and applications; keeps no user data.

mod redirect;
mod tokens;

pub use redirect::{RedirectTarget, Redirects};
pub use tokens::{Access, AccessError, TokenName, Tokens};
