//! Finds the format of a file by its first line, and makes import rows of its records.
//!
//! Called by `Import::run`. Column names and shapes are the provider's.

use super::records::{Record, Records};
use super::{BadLine, ImportError};
use crate::domain::ImportRow;
use crate::domain::text::LONGEST_ID_BYTES;
use crate::provider::Provider;

#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum ImportFormat {
    /// The provider's own table, as CSV.
    Csv,
    /// An object of the provider's API a line.
    Ndjson,
    /// CSV of two columns: our id and the provider's.
    Pairs,
}

impl ImportFormat {
    pub const ALL: [Self; 3] = [Self::Csv, Self::Ndjson, Self::Pairs];

    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

pub(super) enum FileLayout {
    /// For each column of the file its index among those that are read.
    Table(Vec<Option<usize>>),
    /// With the flag, the user's own `external_id` is the row's id.
    Objects {
        ids_from_external_id: bool,
    },
    Pairs {
        id_first: bool,
    },
}

impl FileLayout {
    pub(super) fn of(
        first: &Record,
        requested: Option<ImportFormat>,
        ids_from_external_id: bool,
    ) -> Result<Self, ImportError> {
        let begins = |with: &[u8]| first.bytes().trim_ascii_start().starts_with(with);
        if first.bytes().starts_with(b"\xff\xfe") || first.bytes().starts_with(b"\xfe\xff") {
            return Err(ImportError::Utf16);
        }
        if begins(b"[") {
            return Err(ImportError::JsonArray);
        }
        if requested == Some(ImportFormat::Ndjson) || requested.is_none() && begins(b"{") {
            return Ok(Self::Objects { ids_from_external_id });
        }
        let names = header(first.bytes());
        let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
        let found = Self::pairs(&names).filter(|_| requested != Some(ImportFormat::Csv));
        let table = || Self::table(&names).filter(|_| requested != Some(ImportFormat::Pairs));
        let unknown = || ImportError::UnknownBeginning { header: Provider::EXPORT_HEADER };
        let found = found.or_else(table).ok_or_else(unknown)?;
        if ids_from_external_id { Err(ImportError::NoExternalIds) } else { Ok(found) }
    }

    fn pairs(names: &[&str]) -> Option<Self> {
        match names {
            ["id", "external_id"] => Some(Self::Pairs { id_first: true }),
            ["external_id", "id"] => Some(Self::Pairs { id_first: false }),
            _ => None,
        }
    }

    fn table(names: &[&str]) -> Option<Self> {
        let needed = Provider::REQUIRED_COLUMNS.iter().all(|column| names.contains(column));
        let columns = Provider::EXPORT_COLUMNS;
        let place = |name: &&str| columns.iter().position(|column| column == name);
        needed.then(|| Self::Table(names.iter().map(place).collect()))
    }

    pub(super) const fn format(&self) -> ImportFormat {
        match self {
            Self::Table(_) => ImportFormat::Csv,
            Self::Objects { .. } => ImportFormat::Ndjson,
            Self::Pairs { .. } => ImportFormat::Pairs,
        }
    }

    pub(super) const fn is_table(&self) -> bool {
        !matches!(self, Self::Objects { .. })
    }

    pub(super) fn import_row(
        &self,
        record: &Record,
        provider: &Provider,
    ) -> Result<ImportRow, BadLine> {
        if let Some(fault) = &record.fault {
            return Err(fault.clone());
        }
        if record.bytes().contains(&0) {
            return Err(BadLine::Nul);
        }
        match self {
            Self::Table(places) => {
                expect_columns(record, places.len())?;
                let mut wanted = vec![None; Provider::EXPORT_COLUMNS.len()];
                for (cell, place) in record.cells().zip(places) {
                    if let Some(slot) = place.and_then(|place| wanted.get_mut(place)) {
                        *slot = Some(text(cell)?);
                    }
                }
                Ok(ImportRow { id: None, snapshot: provider.of_row(wanted)? })
            }
            Self::Objects { ids_from_external_id } => {
                let snapshot = provider.of_object(record.bytes())?;
                let theirs = snapshot.profile.source_external_id.as_deref();
                let id = ids_from_external_id.then(|| row_id(theirs.unwrap_or_default()));
                Ok(ImportRow { id: id.transpose()?, snapshot })
            }
            Self::Pairs { id_first } => {
                expect_columns(record, 2)?;
                let mut pair = record.cells().map(text);
                let mut cell = || pair.next().unwrap_or(Ok(String::new()));
                let (one, other) = (cell()?, cell()?);
                let (id, external_id) = if *id_first { (one, other) } else { (other, one) };
                let id = Some(row_id(&id)?);
                Ok(ImportRow { id, snapshot: provider.of_id(&external_id)? })
            }
        }
    }
}

/// The names above a table; none where the line is not one whole row, as where a file has the line
/// ends of an old system.
fn header(line: &[u8]) -> Vec<String> {
    let mut records = Records::new(line);
    let first = records.next(true).ok().flatten().filter(|record| record.fault.is_none());
    let names: Option<Result<_, _>> = first.map(|record| record.cells().map(text).collect());
    let is_one_row = matches!(records.next(true), Ok(None));
    names.filter(|_| is_one_row).and_then(Result::ok).unwrap_or_default()
}

fn text(cell: &[u8]) -> Result<String, BadLine> {
    std::str::from_utf8(cell).map(str::to_owned).map_err(|_| BadLine::NotUtf8)
}

fn expect_columns(record: &Record, expected: usize) -> Result<(), BadLine> {
    let found = record.width();
    if found == expected { Ok(()) } else { Err(BadLine::Columns { found, expected }) }
}

fn row_id(id: &str) -> Result<String, BadLine> {
    let id = id.trim();
    if id.is_empty() {
        Err(BadLine::NoRowId)
    } else if id.len() > LONGEST_ID_BYTES || id.contains(char::is_control) {
        Err(BadLine::UnusableRowId)
    } else {
        Ok(id.to_owned())
    }
}

#[cfg(test)]
mod tests;
