//! Overload, slow clients, stopping and outages: a client that is refused hears it at once and may
//! come again, and what was accepted is committed.

mod full_queue;
mod outage;
mod shutdown;

use crate::support::Answer;

fn assert_turned_away(answer: &Answer, code: &str) {
    let seconds = answer.assert_unavailable(code);
    assert!((1..=60).contains(&seconds), "{seconds}");
}
