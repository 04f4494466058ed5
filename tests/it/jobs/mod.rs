//! Jobs: long work on all users, which is started, watched and cancelled, and which ends right
//! whatever dies on the way.
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
