//! Jobs: long work on all users, which is started, watched and cancelled, and which always ends
//! right, whatever dies on the way.
//!
//! * [`requests`]: who may ask for what; [`representation`]: how jobs are shown; [`cancellation`];
//! * [`counters`]: what a finished job has counted, and [`unreadable_users`] users, who hide nobody;
//! * [`crash`], [`suspension`] and [`replicas`]: a job goes on elsewhere, and in one place only;
//! * [`command`], [`preconditions`], [`follow`] and [`outage`]: the command line;
//! * [`secrets`]: what stands in no log, row or output.
//!
//! [`fixture`] is what they play on, [`operator`] whoever asks for a job, and [`page_gate`] the road to the
//! provider on which they decide how far a job comes.

mod cancellation;
mod command;
mod counters;
mod crash;
mod fixture;
mod follow;
mod outage;
mod page_gate;
mod preconditions;
mod replicas;
mod representation;
mod requests;
mod secrets;
mod suspension;
mod unreadable_users;
