//! A batch of lines: brings its rows to the store, and finds the outcome of every line.
//!
//! Called by `Import::run`. A line keeps its place, whether it is stored or bad.

use super::{BadLine, Import};
use crate::domain::{Backoff, ImportOutcome, ImportRow, Timestamp};
use crate::store::StoreError;
use crate::sync::SyncError;
use crate::sync::bisection::Bisection;
use crate::sync::retry::{RetryPolicy, retry};
use std::sync::Arc;
use std::time::Duration;

const MOST_LINES: usize = 500;

/// By what the lines have in the file: few long lines must not fill the memory.
const MOST_BYTES: usize = 4 << 20;

/// As long as a server takes that is repaired; who sees it wait may also end it, and begin anew later.
const RETRY: RetryPolicy = RetryPolicy {
    caller: "the import",
    backoff: Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(2) },
    give_up_after: Duration::from_secs(10 * 60),
};

/// The lines, in their order.
#[derive(Default)]
pub(super) struct ImportBatch {
    lines: Vec<(u64, Result<(), BadLine>)>,
    /// The rows of the lines that are not bad.
    import_rows: Vec<ImportRow>,
    bytes: usize,
}

/// Whether the line's row is new.
pub(super) type LineOutcome = Result<bool, BadLine>;

impl ImportBatch {
    pub(super) fn add(&mut self, line: u64, import_row: Result<ImportRow, BadLine>, bytes: usize) {
        self.lines.push((line, import_row.map(|import_row| self.import_rows.push(import_row))));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= MOST_LINES || self.bytes >= MOST_BYTES
    }

    pub(super) fn first_line(&self) -> Option<u64> {
        self.lines.first().map(|(line, _)| *line)
    }

    /// Imports the rows; returns the outcome of every line, in order.
    pub(super) async fn store(
        self,
        import: &Import<'_>,
        now: Timestamp,
    ) -> Result<Vec<(u64, LineOutcome)>, SyncError> {
        let external_id = |row: &ImportRow| row.snapshot.external_id.clone();
        let external_ids: Vec<String> = self.import_rows.iter().map(external_id).collect();
        let stored = import.store_rows(self.import_rows, now).await?;
        let mut outcomes = stored.into_iter().zip(external_ids).map(line_outcome);
        let mut next = |()| outcomes.next().unwrap_or(Err(BadLine::Refused));
        let outcome = |(line, read): (u64, Result<(), BadLine>)| (line, read.and_then(&mut next));
        Ok(self.lines.into_iter().map(outcome).collect())
    }
}

impl Import<'_> {
    /// Imports rows together; `None` stands for one that the database refuses even alone.
    async fn store_rows(
        &self,
        import_rows: Vec<ImportRow>,
        now: Timestamp,
    ) -> Result<Vec<Option<ImportOutcome>>, SyncError> {
        if import_rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut imported = Vec::with_capacity(import_rows.len());
        let mut bisection = Bisection::of(import_rows);
        while let Some(part) = bisection.next() {
            let rows: Arc<[ImportRow]> = part.clone().into();
            match retry(&RETRY, || self.once(Arc::clone(&rows), now)).await {
                Err(SyncError::Store(StoreError::Refused(why))) => {
                    tracing::debug!(lines = part.len(), "the database refused a batch: {why}");
                    imported.extend(bisection.halve(part).map(|_| None));
                }
                outcomes => imported.extend(outcomes?.into_iter().map(Some)),
            }
        }
        Ok(imported)
    }

    async fn once(
        &self,
        import_rows: Arc<[ImportRow]>,
        now: Timestamp,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        if self.dry_run {
            self.store.preview_import(self.defaults, import_rows).await
        } else {
            self.store.import(self.defaults, now, import_rows).await
        }
    }
}

fn line_outcome((imported, external_id): (Option<ImportOutcome>, String)) -> LineOutcome {
    match imported {
        Some(ImportOutcome::Inserted) => Ok(true),
        Some(ImportOutcome::Known) => Ok(false),
        Some(ImportOutcome::OtherId(row_id)) => Err(BadLine::OtherId { external_id, row_id }),
        Some(ImportOutcome::TakenId(id)) => Err(BadLine::TakenId(id)),
        None => Err(BadLine::Refused),
    }
}
