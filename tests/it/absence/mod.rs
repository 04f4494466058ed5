//! Users whom the provider does not know any more: a 404 is not a deletion.
//!
//! * [`row_state`]: what is left of an absent user, and what restores it;
//! * [`instance_check`]: no row is emptied while the key may be a wrong one, or the provider fails;
//! * [`mass_delete_limit`]: no more than a few a day, over all requests and replicas.

mod instance_check;
mod mass_delete_limit;
mod row_state;

use crate::support::{TestApp, outcomes};

/// How many other users are fetched to verify the key.
const SAMPLES: usize = 5;

async fn known(app: &TestApp, count: usize) -> Vec<String> {
    let ids = app.emulator.sign_up_many(count);
    for some in ids.chunks(100) {
        assert_eq!(outcomes(&app.resync(some).await), vec!["created"; some.len()]);
    }
    ids
}

/// Likewise, and as many later ones as verify the key, who stay.
async fn known_among_others(app: &TestApp, count: usize) -> Vec<String> {
    let ids = known(app, count).await;
    known(app, SAMPLES).await;
    ids
}

fn recorded(app: &TestApp, state: &str) -> usize {
    app.database.count(&format!("absences WHERE state = '{state}'"))
}
