//! Users from a file: rows that are not there yet, and nothing else.
//!
//! Called by the import in `sync`. Look and insertion are one transaction. Where a delivery is
//! faster all the same, the guard keeps its row, because an imported version beats none; where
//! somebody else takes an id meanwhile, the database refuses the transaction.

use super::Store;
use super::batch::{self, Batch, UpsertOutcome, UserWrite};
use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::users;
use super::types::Moment;
use crate::domain::{Change, MergedChange, Snapshot};
use crate::store::row_defaults::RowDefaults;
use diesel::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A user who may not have a row yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRow {
    /// The id that the row must have; without it, one as every new row gets.
    pub id: Option<String>,
    /// The user; its version is [`crate::domain::Version::IMPORTED`].
    pub snapshot: Snapshot,
}

/// What became of an import row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// There is a row now that was not there before.
    Inserted,
    /// There was a row, and with the right id where it must have one.
    Known,
    /// The user has a row already, of this other id.
    OtherId(String),
    /// Another user's row has the id.
    TakenId(String),
}

impl Store {
    /// Inserts the rows that are not there, all of them or none; says what became of each
    /// import row, in their order. Notes nothing to be written back.
    pub async fn import(
        &self,
        defaults: RowDefaults,
        now: Moment,
        import_rows: Arc<[ImportRow]>,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        self.write(move |connection| {
            let mut plan = ImportPlan::of(connection, defaults, &import_rows)?;
            plan.insert(connection, defaults, now, &import_rows)?;
            Ok(plan.outcomes)
        })
        .await
    }

    /// Says what [`Store::import`] would come to, and writes nothing.
    pub async fn preview_import(
        &self,
        defaults: RowDefaults,
        import_rows: Arc<[ImportRow]>,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        self.read(
            move |connection| Ok(ImportPlan::of(connection, defaults, &import_rows)?.outcomes),
        )
        .await
    }
}

/// What is to be done, by what the tables hold and the import rows say of each other.
struct ImportPlan {
    /// What becomes of each import row.
    outcomes: Vec<ImportOutcome>,
    /// Places of those who get a row, and its id.
    new_rows: Vec<(usize, String)>,
}

impl ImportPlan {
    fn of(
        connection: &mut AnyConnection,
        defaults: RowDefaults,
        import_rows: &[ImportRow],
    ) -> Result<Self, StoreError> {
        let id = |import_row: &ImportRow| {
            import_row
                .id
                .clone()
                .unwrap_or_else(|| defaults.new_id(&import_row.snapshot.external_id))
        };
        let ids: Vec<String> = import_rows.iter().map(id).collect();
        let mut row_ids = row_ids(connection, defaults.source, import_rows)?;
        let mut taken = taken_ids(connection, &ids)?;
        let mut plan =
            Self { outcomes: Vec::with_capacity(import_rows.len()), new_rows: Vec::new() };
        for ((place, import_row), id) in import_rows.iter().enumerate().zip(ids) {
            let external_id = &import_row.snapshot.external_id;
            plan.outcomes.push(if let Some(row_id) = row_ids.get(external_id) {
                outcome_of_existing(import_row, row_id)
            } else if taken.insert(id.clone()) {
                row_ids.insert(external_id.clone(), id.clone());
                plan.new_rows.push((place, id));
                ImportOutcome::Inserted
            } else {
                ImportOutcome::TakenId(id)
            });
        }
        Ok(plan)
    }

    /// Inserts the new rows, in the order of external ids, as all writers do.
    fn insert(
        &mut self,
        connection: &mut AnyConnection,
        defaults: RowDefaults,
        now: Moment,
        import_rows: &[ImportRow],
    ) -> Result<(), StoreError> {
        let new_rows = self.new_rows.iter().filter_map(|(place, id)| {
            let import_row = import_rows.get(*place)?;
            let change = Change::Snapshot(Box::new(import_row.snapshot.clone()));
            Some((*place, import_row, id, change))
        });
        let mut new_rows: Vec<_> = new_rows.collect();
        new_rows.sort_unstable_by(|one, other| one.3.external_id().cmp(other.3.external_id()));
        let users = new_rows.iter().map(|(_, _, id, change)| {
            let id = String::clone(id);
            UserWrite { id, merged: MergedChange::of(change) }
        });
        let (source, users, deliveries) = (defaults.source, users.collect(), Vec::new());
        let batch = Batch { source, now, write_back: false, users, deliveries };
        let results = batch::insert(connection, &batch)?;
        for ((place, import_row, ..), result) in new_rows.iter().zip(results) {
            // A delivery made the row since we looked.
            if result.outcome != UpsertOutcome::Created
                && let Some(outcome) = self.outcomes.get_mut(*place)
            {
                *outcome = outcome_of_existing(import_row, &result.user_id);
            }
        }
        Ok(())
    }
}

/// What becomes of an import row whose row is there.
fn outcome_of_existing(import_row: &ImportRow, row_id: &str) -> ImportOutcome {
    match &import_row.id {
        Some(id) if id != row_id => ImportOutcome::OtherId(row_id.to_owned()),
        _ => ImportOutcome::Known,
    }
}

/// The ids of the rows that import rows have already, by external id.
fn row_ids(
    connection: &mut AnyConnection,
    source: &str,
    import_rows: &[ImportRow],
) -> Result<HashMap<String, String>, StoreError> {
    let external_ids =
        import_rows.iter().map(|import_row| import_row.snapshot.external_id.as_str());
    let external_ids: Vec<&str> = external_ids.collect();
    let rows: Vec<(String, String)> = both!(connection, |inner| users::table
        .filter(users::external_id.eq_any(&external_ids).and(users::source.eq(source)))
        .select((users::external_id, users::id))
        .load(inner))?;
    Ok(rows.into_iter().collect())
}

/// Which of these ids rows have already, whosever they are.
fn taken_ids(
    connection: &mut AnyConnection,
    ids: &[String],
) -> Result<HashSet<String>, StoreError> {
    let taken: Vec<String> = both!(connection, |inner| users::table
        .filter(users::id.eq_any(ids))
        .select(users::id)
        .load(inner))?;
    Ok(taken.into_iter().collect())
}
