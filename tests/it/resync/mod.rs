//! Manual resync: an operator has users fetched anew, and is told what became of each.
//!
//! * [`outcomes`]: every outcome there is, and the order of the answer;
//! * [`requests`]: who may ask, and for what;
//! * [`versions`]: what was fetched never undoes what is newer;
//! * [`healing`]: what webhooks missed, and what two sides disagree on.

mod healing;
mod outcomes;
mod requests;
mod versions;
