//! Jobs: long work on all users, which is started, watched and cancelled, and which ends right
//! whatever dies on the way.
//!
//! * [`requests`]: who may start which job; [`representation`]: how jobs are shown;
//! * [`counters`]: what a finished job has counted;
//! * [`crash`] and [`replicas`]: a job goes on elsewhere, and in one place only;
//! * [`command`], [`preconditions`], [`follow`] and [`outage`]: the command line;
//! * [`secrets`]: what stands in no log, row or output.
//!
//! [`fixture`] has the provider, the database and the ways to start the service; [`page_gate`] is the
//! proxy that decides how far a job gets.

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
