//! Users whom the provider does not know any more: a 404 is not a deletion.

mod instance_check;
mod mass_delete_limit;
mod row_state;

use crate::support::{Engine, TestApp, outcomes};

/// How many other users are fetched to verify the key: the latest.
const SAMPLES: usize = 5;

/// A service that knows so many users of its provider.
async fn with_known(engine: Engine, count: usize) -> (TestApp, Vec<String>) {
    let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
    let ids = known(&app, count).await;
    (app, ids)
}

async fn known(app: &TestApp, count: usize) -> Vec<String> {
    let ids = app.emulator.sign_up_many(count);
    for some in ids.chunks(100) {
        assert_eq!(outcomes(&app.resync(some).await), vec!["created"; some.len()]);
    }
    ids
}

fn recorded(app: &TestApp, state: &str) -> usize {
    app.database.count(&format!("absences WHERE state = '{state}'"))
}
