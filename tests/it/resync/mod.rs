//! Resync: an operator has users fetched again, and gets the outcome of each.

mod healing;
mod outcomes;
mod requests;
mod user_limit;

use crate::support::{Engine, TestApp};

/// A service without write-back, and a user of its provider of whom no event came.
async fn with_user(engine: Engine) -> (TestApp, String) {
    let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
    let id = app.sign_up("Ada");
    (app, id)
}
