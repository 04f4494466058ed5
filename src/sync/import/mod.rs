//! Import: users who were there before, from a file, so that rows keep the ids which the
//! application's foreign keys already hold.
//!
//! Called by `usersync import`. The provider is not asked. A row is made where there is none, and
//! nothing else is ever changed; every snapshot beats what a file says. However long the file is,
//! no more of it than a batch is in memory.
//!
//! * [`records`] takes the file apart;
//! * [`formats`] tells what a file holds, and makes import rows of records;
//! * [`batch`] brings import rows to the store, many at once;
//! * [`fault`]: what may be wrong.

mod batch;
mod fault;
mod formats;
mod records;

pub use fault::{BadLine, ImportError};
pub use formats::ImportFormat;

use super::now;
use crate::provider::Provider;
use crate::store::{RowDefaults, Store};
use batch::{ImportBatch, ImportTarget, LineOutcome};
use formats::FileLayout;
use records::Records;
use serde::Serialize;
use std::io::Read;

/// What is imported, and how.
pub struct Import<'a> {
    /// Where the rows go.
    pub store: &'a Store,
    /// What holds for every row.
    pub defaults: RowDefaults,
    /// The provider whose users they are.
    pub export: &'a Provider,
    /// What the file holds; told by its beginning where this is left open.
    pub format: Option<ImportFormat>,
    /// Whether the provider's field for an id of the application's is the row's id.
    pub ids_from_external_id: bool,
    /// Whether everything is judged and nothing is written.
    pub dry_run: bool,
}

/// What an import came to, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportCounts {
    /// Records that were taken in, apart from the header.
    pub lines: u64,
    /// Rows that were not there before.
    pub imported: u64,
    /// Users who had a row already.
    pub known: u64,
    /// Lines that were left out.
    pub bad: u64,
}

/// Who is told about an import while it goes on.
pub trait ImportObserver {
    /// The file is of this format.
    fn format(&mut self, format: ImportFormat);

    /// A line is left out.
    fn bad_line(&mut self, line: u64, why: &BadLine);

    /// So many bytes of the file are stored.
    fn bytes_imported(&mut self, bytes: u64);
}

impl Import<'_> {
    /// Imports a file to its end, and counts. Whatever was counted is done, also where it fails.
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
                    let import_row = layout.import_row(record, self.export);
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
        let target =
            ImportTarget { store: self.store, defaults: self.defaults, dry_run: self.dry_run };
        let stored = batch.store(&target, now()).await;
        for (line, outcome) in stored.map_err(|error| ImportError::Store { line, error })? {
            counts.lines += 1;
            match outcome {
                LineOutcome::Imported => counts.imported += 1,
                LineOutcome::Known => counts.known += 1,
                LineOutcome::Bad(why) => {
                    counts.bad += 1;
                    observer.bad_line(line, &why);
                }
            }
        }
        Ok(())
    }
}
