//! Resync: an operator has users fetched again, and gets the outcome of each.
//!
//! * [`outcomes`]: every outcome there is, and the order of the response;
//! * [`requests`]: who may ask, and for what;
//! * [`healing`]: lost webhooks and conflicts, and versions.

mod healing;
mod outcomes;
mod requests;
