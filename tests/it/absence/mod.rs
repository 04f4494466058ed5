//! Users whom the provider knows no longer: a 404 is no deletion.
//!
//! * [`row_state`]: what is left of an absent user, and what brings it back;
//! * [`instance_check`]: nobody is emptied while the key may be a wrong one, or the provider in trouble;
//! * [`mass_delete_limit`]: no more than a few a day, over all requests and replicas;
//! * [`logs`]: the log says what is wrong, and of nobody who.

mod instance_check;
mod logs;
mod mass_delete_limit;
mod row_state;

use crate::support::{TestApp, outcomes};

/// How many other users the key is tried with.
const SAMPLES: usize = 5;

/// Signs up users, of whom the service learns; returns their ids.
async fn known(app: &TestApp, count: usize) -> Vec<String> {
    let ids = app.emulator.sign_up_many(count);
    for some in ids.chunks(100) {
        assert_eq!(outcomes(&app.resync(some).await), vec!["created"; some.len()]);
    }
    ids
}

/// Likewise, and as many later ones as the key is tried with, who stay.
async fn known_among_others(app: &TestApp, count: usize) -> Vec<String> {
    let ids = known(app, count).await;
    known(app, SAMPLES).await;
    ids
}

/// Deletes users at the provider, which tells nobody.
fn lose(app: &TestApp, ids: &[String]) {
    for id in ids {
        assert!(app.emulator.delete_user(id));
    }
}

/// How many rows are emptied.
fn emptied(app: &TestApp) -> usize {
    app.database.count("users WHERE deletion_kind = 'absent'")
}

/// How many absences are recorded in this state.
fn recorded(app: &TestApp, state: &str) -> usize {
    app.database.count(&format!("absences WHERE state = '{state}'"))
}
