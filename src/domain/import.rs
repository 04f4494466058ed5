//! The plan of an import: which rows of a file are inserted, and what becomes of the others.
//!
//! Asked by `store`, inside the transaction that reads the ids and inserts. An import inserts rows
//! that are not there; it never overwrites one and never changes an id.

use super::user::Snapshot;
use std::collections::{HashMap, HashSet};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRow {
    /// The id that the row must have; without it, a generated one.
    pub id: Option<String>,
    /// Its version is [`crate::domain::Version::IMPORTED`].
    pub snapshot: Snapshot,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    Inserted,
    /// There was a row, with the right id where the file gives one.
    Known,
    /// The user has a row already, of this other id.
    OtherId(String),
    /// Another user's row has the id.
    TakenId(String),
}

impl ImportOutcome {
    /// The outcome of a user whose row exists: `id` is the file's, `row_id` the row's.
    pub fn of_existing(id: Option<&str>, row_id: &str) -> Self {
        match id {
            Some(id) if id != row_id => Self::OtherId(row_id.to_owned()),
            _ => Self::Known,
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct ImportPlan {
    /// One outcome a row, in their order.
    pub outcomes: Vec<ImportOutcome>,
    /// Indices of the rows to insert, with their ids.
    pub new_rows: Vec<(usize, String)>,
}

impl ImportPlan {
    /// Plans rows, each given as its external id, the id that the file demands and the one that a
    /// new row would get. `row_ids` holds the ids of existing rows by external id, `taken` those
    /// among the wanted ids that any row has.
    pub fn new<'a>(
        rows: impl Iterator<Item = (&'a str, Option<&'a str>, String)>,
        mut row_ids: HashMap<String, String>,
        mut taken: HashSet<String>,
    ) -> Self {
        let mut plan = Self::default();
        for (index, (external_id, demanded_id, id)) in rows.enumerate() {
            plan.outcomes.push(if let Some(row_id) = row_ids.get(external_id) {
                ImportOutcome::of_existing(demanded_id, row_id)
            } else if taken.insert(id.clone()) {
                row_ids.insert(external_id.to_owned(), id.clone());
                plan.new_rows.push((index, id));
                ImportOutcome::Inserted
            } else {
                ImportOutcome::TakenId(id)
            });
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::{ImportOutcome, ImportPlan};
    use std::collections::{HashMap, HashSet};

    fn plan(rows: &[(&str, &str)]) -> ImportPlan {
        let row_ids = HashMap::from([("user_old".to_owned(), "1".to_owned())]);
        let rows = rows.iter().map(|(external, id)| (*external, Some(*id), (*id).to_owned()));
        ImportPlan::new(rows, row_ids, HashSet::from(["1".to_owned()]))
    }

    #[test]
    fn a_user_without_a_row_is_inserted_once() {
        let plan = plan(&[("user_new", "2"), ("user_new", "2"), ("user_new", "3")]);
        let again = ImportOutcome::OtherId("2".into());
        assert_eq!(plan.outcomes, [ImportOutcome::Inserted, ImportOutcome::Known, again]);
        assert_eq!(plan.new_rows, [(0, "2".to_owned())]);
    }

    #[test]
    fn a_row_that_is_there_keeps_its_id() {
        let plan = plan(&[("user_old", "1"), ("user_old", "2")]);
        assert_eq!(plan.outcomes, [ImportOutcome::Known, ImportOutcome::OtherId("1".into())]);
        assert_eq!(plan.new_rows, []);
    }

    #[test]
    fn an_id_is_given_to_one_user_only() {
        let plan = plan(&[("user_new", "1"), ("user_first", "2"), ("user_second", "2")]);
        let taken = |id: &str| ImportOutcome::TakenId(id.into());
        assert_eq!(plan.outcomes, [taken("1"), ImportOutcome::Inserted, taken("2")]);
    }
}
