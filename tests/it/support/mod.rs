//! What every test needs: a service, a database of its own, and a sender.

mod app;
mod database;
mod event;
mod sender;

pub use app::{ADMIN_TOKEN, READ_TOKEN, TestApp, configuration};
pub use database::{Engine, TestDatabase};
pub use event::{deleted, user, user_id};
pub use sender::{Answer, SECRET, Sender, message_id, now_seconds};

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
