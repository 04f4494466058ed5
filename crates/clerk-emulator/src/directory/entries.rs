//! Walks over the users of a directory in the order of their creation, generated and stored ones.
//!
//! Called by `list`. Computes no generated user: an entry is its number until it is written.

use super::{Directory, Position};
use crate::generator::GeneratedUsers;
use crate::user::User;
use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Generated(u64),
    Stored(Position, Arc<User>),
}

impl Entry {
    /// The order of arrival, which differs from user to user.
    pub(crate) fn arrival(&self) -> u64 {
        match self {
            Self::Generated(number) => *number,
            Self::Stored((_, arrival), _) => *arrival,
        }
    }

    pub(crate) fn write_json(&self, generated: &GeneratedUsers, out: &mut Vec<u8>) {
        match self {
            Self::Generated(number) => generated.write_json(*number, out),
            // Writing into memory does not fail.
            Self::Stored(_, user) => serde_json::to_writer(out, user.as_ref()).unwrap_or_default(),
        }
    }
}

type StoredUsers<'a> = Box<dyn Iterator<Item = (&'a Position, &'a Arc<User>)> + 'a>;

pub(crate) struct Entries<'a> {
    directory: &'a Directory,
    numbers: Range<u64>,
    stored: Peekable<StoredUsers<'a>>,
    newest_first: bool,
}

impl<'a> Entries<'a> {
    pub(super) fn new(
        directory: &'a Directory,
        range: Range<Position>,
        newest_first: bool,
    ) -> Self {
        let (start, end) =
            (first_number(directory, range.start), first_number(directory, range.end));
        // A range whose start lies behind its end is empty, and a map panics on it.
        let range = range.start..range.end.max(range.start);
        let stored = directory.stored.range(range);
        let stored: StoredUsers<'a> =
            if newest_first { Box::new(stored.rev()) } else { Box::new(stored) };
        Self { directory, numbers: start..end, stored: stored.peekable(), newest_first }
    }

    /// Leaves out so many users: at once where only unchanged generated ones are left.
    pub(crate) fn skip_users(mut self, count: usize) -> Self {
        let mut left = u64::try_from(count).unwrap_or(u64::MAX);
        while left > 0 {
            if self.stored.peek().is_none() && self.directory.superseded.is_empty() {
                self.skip_numbers(left);
                break;
            }
            if self.next().is_none() {
                break;
            }
            left -= 1;
        }
        self
    }

    fn skip_numbers(&mut self, count: u64) {
        let Range { start, end } = self.numbers;
        self.numbers = if self.newest_first {
            start..end.saturating_sub(count).max(start)
        } else {
            start.saturating_add(count).min(end)..end
        };
    }

    fn next_number(&self) -> Option<u64> {
        let Range { start, end } = self.numbers;
        let number = if self.newest_first { end.checked_sub(1)? } else { start };
        (start..end).contains(&number).then_some(number)
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        while let Some(number) = self.next_number() {
            let position = (self.directory.generated.created_at(number), number);
            let stored = self.stored.peek().map(|(position, _)| **position);
            if stored.is_some_and(|stored| (stored < position) != self.newest_first) {
                break;
            }
            self.skip_numbers(1);
            if !self.directory.superseded.contains(&number) {
                return Some(Entry::Generated(number));
            }
        }
        let (position, user) = self.stored.next()?;
        Some(Entry::Stored(*position, Arc::clone(user)))
    }
}

/// The first generated user at this position or behind it, by halving.
fn first_number(directory: &Directory, position: Position) -> u64 {
    let (mut low, mut high) = (0, directory.generated_count);
    while low < high {
        let middle = low + (high - low) / 2;
        if (directory.generated.created_at(middle), middle) < position {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
