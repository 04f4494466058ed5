//! Finds the items for which the database refuses a batch.
//!
//! Used by the watch, the scan of jobs and the import: a refused part is halved until a refused
//! item is alone, so that one user who cannot be stored keeps no other out. Parts come in the
//! order of their items.

use crate::domain::Change;

pub(super) struct Bisection<T> {
    parts: Vec<Vec<T>>,
}

impl<T> Bisection<T> {
    pub(super) fn of(items: Vec<T>) -> Self {
        Self { parts: vec![items] }
    }

    pub(super) fn next(&mut self) -> Option<Vec<T>> {
        self.parts.pop()
    }

    /// Takes back a part that was refused. Returns its item where there is only one.
    pub(super) fn halve(&mut self, mut part: Vec<T>) -> Option<T> {
        if part.len() <= 1 {
            return part.pop();
        }
        let second = part.split_off(part.len() / 2);
        self.parts.extend([second, part]);
        None
    }
}

impl Bisection<Change> {
    /// Likewise; a user who is alone is logged and left out. Returns whether one was.
    pub(super) fn halve_or_skip(&mut self, part: Vec<Change>, why: &str) -> bool {
        let alone = self.halve(part);
        if let Some(user) = &alone {
            let external_id = user.external_id();
            tracing::error!(user.external_id = external_id, why, "a user cannot be stored");
        }
        alone.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Bisection;

    #[test]
    fn the_refused_items_are_found_and_all_others_pass_in_order() {
        let mut bisection = Bisection::of((0..10).collect());
        let (mut passed, mut refused) = (Vec::new(), Vec::new());
        while let Some(part) = bisection.next() {
            if part.iter().any(|item| [3, 7].contains(item)) {
                refused.extend(bisection.halve(part));
            } else {
                passed.extend(part);
            }
        }
        assert_eq!((passed, refused), (vec![0, 1, 2, 4, 5, 6, 8, 9], vec![3, 7]));
    }
}
