//! What every test needs: a service, a database of its own, a client, and a provider.

mod api_fault;
mod app;
mod batching;
mod builder;
mod client;
mod cluster;
mod database;
mod delivery;
mod emulator;
mod event;
mod fields;
mod process;
mod program;
mod proxy;
mod raw_http;
mod rng;
mod session_tokens;
mod slow_clients;
mod until;
mod writer_lock;

pub use api_fault::ApiFault;
pub use app::{ADMIN_TOKEN, READ_TOKEN, TestApp, all_stopped, run};
pub use builder::{NO_WRITE_BACK, TestAppBuilder, configuration};
pub use client::{Answer, SECRET, TestClient, message_id, now_seconds, outcomes};
pub use cluster::Cluster;
pub use database::{Engine, TestDatabase};
pub use delivery::Delivery;
pub use emulator::TestEmulator;
pub use event::{deleted, event_of, user, user_id, user_with, with_metadata};
pub use fields::{
    ENTITLEMENT_COLUMNS, JOB_COUNTERS, JOB_FIELDS, PROFILE_COLUMNS, USER_FIELDS, field_names,
};
pub use process::AppProcess;
pub use program::{Program, RunOutput, Running, shell};
pub use proxy::{Blocked, Proxy, Server, Upstream};
pub use raw_http::{closed_after, exchange};
pub use rng::Rng;
pub use session_tokens::{PARTY, SessionTokens, Signer};
pub use slow_clients::SlowClients;
pub use until::{HANGS_AFTER, until, until_soon, until_true, until_within};
pub use writer_lock::WriterLock;

/// Writes a test once and runs it on both engines: `both_engines! { async fn name(engine) { … } }`,
/// or with what a function makes of the engine: `async fn name(app = TestApp::start) { … }`.
macro_rules! both_engines {
    (@given $engine:ident) => { $engine };
    (@given $engine:ident $setup:path) => { $setup($engine).await };
    ($($(#[$meta:meta])* async fn $name:ident($given:pat $(= $setup:path)?) $body:block)+) => {
        $(
            async fn $name(engine: $crate::support::Engine) {
                let $given = both_engines!(@given engine $($setup)?);
                $body
            }

            $(#[$meta])*
            mod $name {
                #[tokio::test]
                async fn postgres() {
                    super::$name($crate::support::Engine::Postgres).await;
                    $crate::support::all_stopped().await;
                }

                #[tokio::test]
                async fn sqlite() {
                    super::$name($crate::support::Engine::Sqlite).await;
                    $crate::support::all_stopped().await;
                }
            }
        )+
    };
}
