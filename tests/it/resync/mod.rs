//! Resync: an operator has users fetched again, and gets the outcome of each.
//!
//! * [`outcomes`]: every outcome there is, and the order of the response;
//! * [`requests`]: who may ask, and for what;
//! * [`versions`]: what was fetched never undoes what is newer;
//! * [`healing`]: lost webhooks, and conflicts.

mod healing;
mod outcomes;
mod requests;
mod versions;
