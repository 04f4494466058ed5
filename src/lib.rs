//! `usersync` keeps an application's own users in step with its identity provider.
//!
//! The flow, from the front door to the cellar:
//!
//! 1. [`http`] routes a request to the front door;
//! 2. [`webhook`] checks headers, reads the raw bytes and verifies their signature;
//! 3. [`provider`] reads what the provider means into a change;
//! 4. [`domain`] knows which of two changes wins, and what a user is;
//! 5. [`ingest`] gathers changes and commits many of them as one transaction;
//! 6. [`store`] writes and reads, on PostgreSQL or SQLite;
//! 7. then, and only then, the sender is answered.
//!
//! Beside it, [`sync`] asks the provider: for all users, as jobs, and for those who changed last; for
//! those who sign in before their event came, and whom an operator names. It tells the provider our
//! id and the role, and takes in users whom a file lists.
//!
//! [`access`] decides who may ask, [`telemetry`] tells what happened, [`config`] and [`app`]
//! put it all together. The binary's `cli` is how it is started.

pub mod access;
pub mod app;
pub mod config;
pub mod domain;
pub mod http;
pub mod ingest;
pub mod provider;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod webhook;
