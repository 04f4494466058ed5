//! What the provider was asked for, and how much of it again.

use std::collections::HashSet;

use serde_json::{Value, json};

const BITS: u64 = u64::BITS as u64;

#[derive(Default)]
pub(super) struct Asked {
    pages: u64,
    /// Pages whose very query had been asked before.
    repeated_pages: u64,
    users: u64,
    /// Users of pages who had been in another page, or in the same, before.
    repeated_users: u64,
    pub(super) counts: u64,
    pub(super) single_users: u64,
    pub(super) key_sets: u64,
    /// Everything that was refused or is not there.
    pub(super) refused: u64,
    queries: HashSet<String>,
    /// A bit for each user: whether a page held it.
    listed: Vec<u64>,
}

impl Asked {
    pub(super) fn add_page(&mut self, query: &str, numbers: &[u64]) {
        self.pages += 1;
        if !self.queries.insert(query.to_owned()) {
            self.repeated_pages += 1;
        }
        for &number in numbers {
            self.users += 1;
            self.repeated_users += u64::from(self.was_listed(number));
        }
    }

    /// Whether a user had been listed; from now on it has.
    fn was_listed(&mut self, number: u64) -> bool {
        let (word, bit) = ((number / BITS) as usize, 1 << (number % BITS));
        if self.listed.len() <= word {
            self.listed.resize(word + 1, 0);
        }
        let was = self.listed[word] & bit != 0;
        self.listed[word] |= bit;
        was
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "pages": self.pages, "repeated_pages": self.repeated_pages, "users": self.users,
            "repeated_users": self.repeated_users, "different_users": self.users - self.repeated_users,
            "counts": self.counts, "single_users": self.single_users, "key_sets": self.key_sets, "refused": self.refused,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_before_is_told() {
        let mut asked = Asked::default();
        asked.add_page("limit=3", &[0, 1, 2]);
        asked.add_page("limit=3&offset=3", &[3, 4, 1_000_000]);
        asked.add_page("limit=3", &[0, 1, 2]);
        asked.add_page("limit=2&offset=4", &[4, 5]);
        let told = asked.json();
        assert_eq!((&told["pages"], &told["repeated_pages"]), (&json!(4), &json!(1)));
        assert_eq!((&told["users"], &told["repeated_users"]), (&json!(11), &json!(4)));
        assert_eq!(told["different_users"], 7);
    }
}
