//! Import: users from a file, so that rows keep the ids which the application's foreign keys hold.
//!
//! Called by `usersync import`. The provider is not called. A row is inserted where there is none,
//! and nothing else is changed; every snapshot beats what a file says. However long the file is, no
//! more of it than a batch is in memory.
//!
//! * [`records`] splits the file; [`formats`] finds its format, and makes rows of records;
//! * [`batch`] brings rows to the store; [`fault`]: what may be wrong.

mod batch;
mod fault;
mod formats;
mod records;

pub use fault::{BadLine, ImportError};
pub use formats::ImportFormat;

use crate::provider::Provider;
use crate::store::{RowDefaults, Store};
use batch::ImportBatch;
use formats::FileLayout;
use records::Records;
use serde::Serialize;
use std::io::Read;

pub struct Import<'a> {
    pub store: &'a Store,
    pub defaults: RowDefaults,
    pub provider: &'a Provider,
    /// Found by the file's beginning where it is `None`.
    pub format: Option<ImportFormat>,
    /// Whether the user's own `external_id` at the provider is the row's id.
    pub ids_from_external_id: bool,
    /// Whether all is checked and nothing is written.
    pub dry_run: bool,
}

/// Counts of lines, as far as the import came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportCounts {
    /// Lines of the file without its header.
    pub lines: u64,
    pub imported: u64,
    /// Users who had a row already.
    pub known: u64,
    pub bad: u64,
}

pub trait ImportObserver {
    fn format(&mut self, format: ImportFormat);

    fn bad_line(&mut self, line: u64, why: &BadLine);

    fn bytes_imported(&mut self, bytes: u64);
}

impl Import<'_> {
    /// Imports a file to its end. What was counted is committed, also where the import fails.
    pub async fn run(
        &self,
        input: impl Read,
        counts: &mut ImportCounts,
        observer: &mut dyn ImportObserver,
    ) -> Result<(), ImportError> {
        let mut records = Records::new(input);
        let first = records.first().map_err(|error| ImportError::Read { line: 1, error })?;
        let header = Provider::EXPORT_HEADER;
        let first = first.ok_or(ImportError::Empty { header })?;
        let layout = FileLayout::of(first, self.format, self.ids_from_external_id)?;
        observer.format(layout.format());
        if !layout.is_table() {
            records.put_back();
        }
        loop {
            let (batch, end) = self.next_batch(&mut records, &layout);
            self.store_batch(batch, counts, observer).await?;
            observer.bytes_imported(records.bytes_read);
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// The next lines, and how the file ends where it does.
    fn next_batch(
        &self,
        records: &mut Records<impl Read>,
        layout: &FileLayout,
    ) -> (ImportBatch, Option<Result<(), ImportError>>) {
        let mut batch = ImportBatch::default();
        while !batch.is_full() {
            match records.next(layout.is_table()) {
                Ok(Some(record)) => {
                    let import_row = layout.import_row(record, self.provider);
                    batch.add(record.line, import_row, record.bytes().len());
                }
                Ok(None) => return (batch, Some(Ok(()))),
                Err(error) => {
                    let line = records.line();
                    return (batch, Some(Err(ImportError::Read { line, error })));
                }
            }
        }
        (batch, None)
    }

    async fn store_batch(
        &self,
        batch: ImportBatch,
        counts: &mut ImportCounts,
        observer: &mut dyn ImportObserver,
    ) -> Result<(), ImportError> {
        let Some(line) = batch.first_line() else {
            return Ok(());
        };
        let stored = batch.store(self, self.store.now()).await;
        for (line, outcome) in stored.map_err(|error| ImportError::Store { line, error })? {
            counts.lines += 1;
            match outcome {
                Ok(true) => counts.imported += 1,
                Ok(false) => counts.known += 1,
                Err(why) => {
                    counts.bad += 1;
                    observer.bad_line(line, &why);
                }
            }
        }
        Ok(())
    }
}
