//! Overload, slow clients, stopping and outages: a client that is refused hears it at once and may
//! come again, and what was accepted is committed.
//!
//! * [`full_queue`]: the queue is bounded, and slow clients leave others served;
//! * [`shutdown`]: a stop finishes what waits, and a client that goes away loses nothing;
//! * [`outage`]: the database is away, and comes back.

mod full_queue;
mod outage;
mod shutdown;

use crate::support::Answer;

/// Checks that an answer asks the sender to come again, for the reason given.
fn assert_turned_away(answer: &Answer, code: &str) {
    answer.assert_problem(503, code);
    let retry_after = answer.headers["retry-after"].to_str().unwrap();
    let seconds: u64 = retry_after.parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}
