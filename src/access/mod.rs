//! The desk: who is asking, and what they may do.
//!
//! Called by `http` before any route that is not public. Knows tokens; keeps no user data.

mod tokens;

pub use tokens::{Access, Denied, Holder, Tokens};
