//! What every test needs: a service, a database of its own, and a sender.

mod answer_dropper;
mod api_fault;
mod app;
mod batching;
mod cluster;
mod database;
mod delivery;
mod dump;
mod emulator;
mod event;
mod fields;
mod manual_events;
mod metrics;
mod process;
mod program;
mod proxy;
mod raw_http;
mod replica;
mod rng;
mod sender;
mod session_tokens;
mod signer;
mod slow_clients;
mod until;
mod writer_lock;

pub use answer_dropper::Wire;
pub use api_fault::Trouble;
pub use app::{ADMIN_TOKEN, READ_TOKEN, TestApp, configuration};
pub use cluster::Cluster;
pub use database::{Engine, TestDatabase};
pub use delivery::Signed;
pub use emulator::{Emulated, emulator, provider_variables};
pub use event::{deleted, event_of, user, user_id};
pub use fields::{JOB_COUNTERS, USER_FIELDS, field_names};
pub use manual_events::{NO_WRITE_BACK, outcomes, resync_at};
pub use process::Service;
pub use program::{Finished, Program, Running, shell};
pub use proxy::{Blocked, Relay, onward};
pub use raw_http::exchange;
pub use replica::Replica;
pub use rng::Chance;
pub use sender::{Answer, SECRET, Sender, message_id, now_seconds};
pub use session_tokens::{Mint, PARTY};
pub use signer::Signer;
pub use slow_clients::Crowd;
pub use until::until;
pub use writer_lock::Hold;

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
