//! The service from outside: run on a random port with a real database of each engine, and asked
//! by a client that signs. One binary, so that it is linked once.
//!
//! Run it with `scripts/test`, which starts the PostgreSQL that it needs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, is an edge where time and environment enter, and is nobody's library"
)]

#[macro_use]
mod support;

mod absence;
mod batching;
mod body;
mod clerk_facts;
mod command_line;
mod convergence;
mod crash;
mod database_faults;
mod delivery;
mod demo;
mod dev;
mod drift;
mod erasure;
mod fixtures;
mod following_trigger;
mod hosts;
mod identity;
mod import;
mod jobs;
mod load_shedding;
mod logs;
mod me;
mod observability;
mod outcomes;
mod overrides;
mod profile;
mod quarantine;
mod reconcile;
mod refused_by_database;
mod refused_deletions;
mod resync;
mod routes;
mod schema;
mod sessions;
mod sign_in_sync;
mod signature;
mod users_api;
mod watch;
mod write_back;
