//! Authorization: bearer tokens of operators and applications, and where browsers may be
//! redirected.
//!
//! Called by `http` before any route that is not public. Pure; stores no user data.

mod redirect;
mod tokens;

pub use redirect::{RedirectTarget, Redirects};
pub use tokens::{Access, AccessError, TokenName, Tokens};
