//! The mass-delete limit: how many rows may be emptied in a day because the provider did not know
//! their users.
//!
//! Asked by `store`, inside the transaction that counts and empties. A wrong API key or a provider
//! in trouble must not empty a table (trap 36).

/// This many rows may always be emptied within 24 hours.
const ALWAYS_ALLOWED: i64 = 10;

/// Beyond that, one live row in this many.
const ONE_IN: i64 = 100;

/// Rows to be emptied now, and those emptied in the last 24 hours.
#[derive(Clone, Copy, Debug)]
pub struct EmptiedRows {
    pub now: i64,
    pub earlier: i64,
}

impl EmptiedRows {
    const fn together(self) -> i64 {
        self.now.saturating_add(self.earlier)
    }

    /// Whether they are few enough whatever the size of the table, so that it need not be counted.
    pub const fn are_always_allowed(self) -> bool {
        self.together() <= ALWAYS_ALLOWED
    }

    /// Whether they are too many for a table of `live` rows. Rows emptied earlier were live when the
    /// day began: many are emptied in parts, and the last part must not be refused because the first
    /// ones made the table smaller.
    pub const fn exceed_limit(self, live: i64) -> bool {
        !self.are_always_allowed() && self.together() > live.saturating_add(self.earlier) / ONE_IN
    }
}

#[cfg(test)]
mod tests {
    use super::EmptiedRows;

    fn exceeds(now: i64, earlier: i64, live: i64) -> bool {
        EmptiedRows { now, earlier }.exceed_limit(live)
    }

    #[test]
    fn ten_rows_a_day_are_allowed_in_any_table() {
        assert!(!exceeds(10, 0, 10));
        assert!(!exceeds(3, 7, 3));
        assert!(exceeds(11, 0, 11));
        assert!(exceeds(4, 7, 40));
    }

    #[test]
    fn a_large_table_may_lose_one_row_in_a_hundred() {
        assert!(!exceeds(50, 0, 5_000));
        assert!(exceeds(51, 0, 5_000));
    }

    #[test]
    fn what_was_emptied_in_parts_counts_as_one_and_leaves_the_table_as_large() {
        assert!(!exceeds(25, 25, 4_975));
        assert!(exceeds(26, 25, 4_975));
    }
}
