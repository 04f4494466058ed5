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

use crate::support::{Emulated, outcomes};

/// How many other users the key is tried with.
const SAMPLES: usize = 5;

/// Signs up users, of whom the service learns; returns their ids.
async fn known(both: &Emulated, count: usize) -> Vec<String> {
    let issued = both.emulator.issued_ids().len();
    let names = (issued..issued + count).map(|number| format!("User{number}"));
    let ids: Vec<String> = names.map(|name| both.sign_up(&name)).collect();
    for some in ids.chunks(100) {
        assert_eq!(outcomes(&both.resync(some).await), vec!["created"; some.len()]);
    }
    ids
}

/// Likewise, and as many later ones as the key is tried with, who stay.
async fn known_among_others(both: &Emulated, count: usize) -> Vec<String> {
    let ids = known(both, count).await;
    known(both, SAMPLES).await;
    ids
}

/// Deletes users at the provider, which tells nobody.
fn lose(both: &Emulated, ids: &[String]) {
    for id in ids {
        assert!(both.emulator.delete_user(id));
    }
}

/// How many rows are emptied.
fn emptied(both: &Emulated) -> usize {
    both.database.count("users WHERE deletion_kind = 'absent'")
}

/// How many absences are recorded in this state.
fn recorded(both: &Emulated, state: &str) -> usize {
    both.database.count(&format!("absences WHERE state = '{state}'"))
}
