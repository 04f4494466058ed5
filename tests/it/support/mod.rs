//! What every test needs: a service, a database of its own, and a sender.

mod app;
mod chance;
mod cluster;
mod contract;
mod crowd;
mod database;
mod dump;
mod emulated;
mod event;
mod hearing;
mod hold;
mod metrics;
mod mint;
mod one_batch;
mod process;
mod program;
mod raw;
mod relay;
mod replica;
mod sender;
mod signed;
mod signer;
mod trouble;
mod until;
mod wire;

pub use app::{ADMIN_TOKEN, READ_TOKEN, TestApp, configuration};
pub use chance::Chance;
pub use cluster::Cluster;
pub use contract::{JOB_COUNTERS, USER_FIELDS, field_names};
pub use crowd::Crowd;
pub use database::{Engine, TestDatabase};
pub use emulated::{Emulated, emulator, provider_variables};
pub use event::{deleted, event_of, user, user_id};
pub use hearing::{NO_WRITE_BACK, outcomes, resync_at};
pub use hold::Hold;
pub use mint::{Mint, PARTY};
pub use process::Service;
pub use program::{Finished, Program, Running, shell};
pub use raw::exchange;
pub use relay::{Blocked, Relay, onward};
pub use replica::Replica;
pub use sender::{Answer, SECRET, Sender, message_id, now_seconds};
pub use signed::Signed;
pub use signer::Signer;
pub use trouble::Trouble;
pub use until::until;
pub use wire::Wire;

/// Writes a test once and runs it on both engines:
/// `both_engines! { async fn name(engine) { … } }`.
#[macro_export]
macro_rules! both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($engine:ident) $body:block)+) => {
        $(
            async fn $name($engine: $crate::support::Engine) $body

            $(#[$meta])*
            mod $name {
                #[tokio::test]
                async fn postgres() {
                    super::$name($crate::support::Engine::Postgres).await;
                }

                #[tokio::test]
                async fn sqlite() {
                    super::$name($crate::support::Engine::Sqlite).await;
                }
            }
        )+
    };
}
