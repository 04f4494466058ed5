//! Lines that go to the database together, and what became of each.

use super::BadLine;
use crate::store::{ImportOutcome, ImportRow, Moment, RowDefaults, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// How many lines a batch has at most.
const MOST_LINES: usize = 500;

/// How much a batch holds, by what its lines have in the file, before it is stored: few long lines
/// must not fill the memory.
const MOST_BYTES: usize = 4 << 20;

/// How often a batch is tried while the database is away or busy, and the pause before the second
/// try; each further one is twice as long.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The lines, in their order.
#[derive(Default)]
pub(super) struct ImportBatch {
    lines: Vec<(u64, Result<(), BadLine>)>,
    /// Those of the lines who are to be imported.
    import_rows: Vec<ImportRow>,
    bytes: usize,
}

/// What a line came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LineOutcome {
    Imported,
    Known,
    Bad(BadLine),
}

/// Where a batch goes.
pub(super) struct ImportTarget<'a> {
    pub(super) store: &'a Store,
    pub(super) defaults: RowDefaults,
    pub(super) dry_run: bool,
}

impl ImportBatch {
    pub(super) fn add(&mut self, line: u64, import_row: Result<ImportRow, BadLine>, bytes: usize) {
        self.lines.push((line, import_row.map(|import_row| self.import_rows.push(import_row))));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= MOST_LINES || self.bytes >= MOST_BYTES
    }

    /// The line that it begins with.
    pub(super) fn first_line(&self) -> Option<u64> {
        self.lines.first().map(|(line, _)| *line)
    }

    /// Imports the import rows, and tells the outcome of every line, in their order.
    pub(super) async fn store(
        self,
        target: &ImportTarget<'_>,
        now: Moment,
    ) -> Result<Vec<(u64, LineOutcome)>, StoreError> {
        let external_ids: Vec<String> = self.import_rows.iter().map(external_id).collect();
        let mut outcomes =
            target.import(self.import_rows, now).await?.into_iter().zip(external_ids);
        let mut stored = Vec::with_capacity(self.lines.len());
        for (line, read) in self.lines {
            let outcome = match read {
                Err(why) => LineOutcome::Bad(why),
                Ok(()) => {
                    outcomes.next().map_or(LineOutcome::Bad(BadLine::Refused), LineOutcome::of)
                }
            };
            stored.push((line, outcome));
        }
        Ok(stored)
    }
}

fn external_id(import_row: &ImportRow) -> String {
    import_row.snapshot.external_id.clone()
}

impl ImportTarget<'_> {
    /// Imports import rows together, or where the database refuses that one by one, so that only
    /// those stay out who are to blame.
    async fn import(
        &self,
        import_rows: Vec<ImportRow>,
        now: Moment,
    ) -> Result<Vec<Option<ImportOutcome>>, StoreError> {
        if import_rows.is_empty() {
            return Ok(Vec::new());
        }
        let import_rows: Arc<[ImportRow]> = import_rows.into();
        match self.attempt(Arc::clone(&import_rows), now).await {
            Ok(imported) => return Ok(imported.into_iter().map(Some).collect()),
            Err(StoreError::Refused(why)) => {
                tracing::debug!(lines = import_rows.len(), "the database refused a batch: {why}");
            }
            Err(error) => return Err(error),
        }
        let mut imported = Vec::with_capacity(import_rows.len());
        for import_row in import_rows.iter() {
            let alone = Arc::new([import_row.clone()]);
            imported.push(match self.attempt(alone, now).await {
                Ok(alone) => alone.into_iter().next(),
                Err(StoreError::Refused(_)) => None,
                Err(error) => return Err(error),
            });
        }
        Ok(imported)
    }

    /// Tries until the database is there, for a while.
    async fn attempt(
        &self,
        import_rows: Arc<[ImportRow]>,
        now: Moment,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.once(Arc::clone(&import_rows), now).await {
                Err(StoreError::Away(why)) => {
                    tracing::debug!("the database is away: {why}");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                result => return result,
            }
        }
        self.once(import_rows, now).await
    }

    async fn once(
        &self,
        import_rows: Arc<[ImportRow]>,
        now: Moment,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        if self.dry_run {
            self.store.preview_import(self.defaults, import_rows).await
        } else {
            self.store.import(self.defaults, now, import_rows).await
        }
    }
}

impl LineOutcome {
    fn of((imported, external_id): (Option<ImportOutcome>, String)) -> Self {
        match imported {
            Some(ImportOutcome::Inserted) => Self::Imported,
            Some(ImportOutcome::Known) => Self::Known,
            Some(ImportOutcome::OtherId(row_id)) => {
                Self::Bad(BadLine::OtherId { external_id, row_id })
            }
            Some(ImportOutcome::TakenId(id)) => Self::Bad(BadLine::TakenId(id)),
            None => Self::Bad(BadLine::Refused),
        }
    }
}
