//! Inserts the users of a file that have no row.
//!
//! Called by the import in `sync`. Reading ids and inserting are one transaction; [`ImportPlan`]
//! decides. Where a delivery is faster all the same, the guard keeps its row, because an imported
//! version beats none; where another writer takes an id meanwhile, the database refuses the
//! transaction.

use super::Store;
use super::batch::{self, Batch, UpsertOutcome, UserWrite};
use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::users;
use crate::domain::{Change, ImportOutcome, ImportPlan, ImportRow, MergedChange, Timestamp};
use crate::store::row_defaults::RowDefaults;
use diesel::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

impl Store {
    /// Inserts the missing rows, all or none, without write-backs. Returns one outcome a row.
    pub async fn import(
        &self,
        defaults: RowDefaults,
        now: Timestamp,
        import_rows: Arc<[ImportRow]>,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        self.write(move |connection| {
            let mut plan = plan(connection, defaults, &import_rows)?;
            insert(connection, defaults, now, &import_rows, &mut plan)?;
            Ok(plan.outcomes)
        })
        .await
    }

    /// What [`Store::import`] would do; writes nothing.
    pub async fn preview_import(
        &self,
        defaults: RowDefaults,
        import_rows: Arc<[ImportRow]>,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        self.read(move |connection| Ok(plan(connection, defaults, &import_rows)?.outcomes)).await
    }
}

fn plan(
    connection: &mut AnyConnection,
    defaults: RowDefaults,
    import_rows: &[ImportRow],
) -> Result<ImportPlan, StoreError> {
    let id = |row: &ImportRow| {
        row.id.clone().unwrap_or_else(|| defaults.new_id(&row.snapshot.external_id))
    };
    let ids: Vec<String> = import_rows.iter().map(id).collect();
    let row_ids = row_ids(connection, defaults.source, import_rows)?;
    let taken = taken_ids(connection, &ids)?;
    let external_ids = import_rows.iter().map(|row| row.snapshot.external_id.as_str());
    let demanded_ids = import_rows.iter().map(|row| row.id.as_deref());
    let rows = external_ids.zip(demanded_ids).zip(ids);
    Ok(ImportPlan::new(rows.map(|((one, other), id)| (one, other, id)), row_ids, taken))
}

/// Inserts in the order of external ids, as all writers do.
fn insert(
    connection: &mut AnyConnection,
    defaults: RowDefaults,
    now: Timestamp,
    import_rows: &[ImportRow],
    plan: &mut ImportPlan,
) -> Result<(), StoreError> {
    let new_rows = plan.new_rows.iter().filter_map(|(index, id)| {
        let row = import_rows.get(*index)?;
        Some((*index, row, id, Change::Snapshot(Box::new(row.snapshot.clone()))))
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
    for ((index, row, ..), result) in new_rows.iter().zip(results) {
        // A delivery made the row since the ids were read.
        if result.outcome != UpsertOutcome::Created
            && let Some(outcome) = plan.outcomes.get_mut(*index)
        {
            *outcome = ImportOutcome::of_existing(row.id.as_deref(), &result.user_id);
        }
    }
    Ok(())
}

/// Ids of existing rows, by external id.
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

/// Those of `ids` that any row has.
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
