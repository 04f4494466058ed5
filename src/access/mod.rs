//! The desk: who is asking, and what they may do.
//!
//! Called by `http` before any route that is not public. Knows tokens; keeps no user data.

mod redirect;
mod tokens;

pub use redirect::{MARK, Redirects, Target};
pub use tokens::{Access, Denied, Holder, Tokens};
