//! The room's one look at the clock: a provider's times are those of its own clock.

use jiff::Timestamp;

/// Now, in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the provider's clock is an edge of its own")]
pub(super) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
