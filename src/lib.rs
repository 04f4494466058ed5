//! `usersync` keeps an application's own users table in step with its identity provider.
//!
//! The flow of a delivery, and of its answer back:
//!
//! 1. [`http`] receives `POST /webhooks/clerk` and checks its length;
//! 2. [`webhook`] checks headers and timestamp, and, once [`http`] has read the body within limits of
//!    size and time, the signature over the raw bytes;
//! 3. [`provider`] turns the payload into a change of one user;
//! 4. [`ingest`] queues the change and merges it with others into one transaction;
//! 5. [`domain`] orders the versions of a user; the same order stands as SQL in [`store`], which also
//!    decides each outcome;
//! 6. [`store`] commits the transaction to PostgreSQL or SQLite;
//! 7. only then the provider gets its answer: 200, or 202 for a quarantined delivery.
//!
//! Everything that asks the provider is in [`sync`]: backfill, reconcile and drift, the watch (each
//! minute it compares the users who changed last), the fetch at sign-in, and write-back of ids and
//! roles; the import of files is there too.
//!
//! A module uses those after it in this list, and no other: the binary's `cli`, [`app`], [`http`],
//! [`config`], [`access`], [`sync`], [`ingest`], [`provider`], [`store`], [`webhook`],
//! [`telemetry`], [`domain`]. `docs/architecture.md` has the rules and the contracts.

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
