//! Tests of finding a file's format, and of reading its records.

use super::{BadLine, FileLayout, ImportError, ImportFormat};
use crate::config::{Config, ConfigSource, Requirement};
use crate::domain::ImportRow;
use crate::provider::{ExportError, Provider};
use crate::sync::import::records::{Record, Records};

const HEADER: &str = "id,first_name,last_name,username,primary_email_address,\
    primary_phone_number,verified_email_addresses,unverified_email_addresses,\
    verified_phone_numbers,unverified_phone_numbers,totp_secret,password_digest,password_hasher";

fn provider() -> Provider {
    Config::load(&ConfigSource::default(), Requirement::Nothing).unwrap().provider
}

fn record(bytes: impl AsRef<[u8]>, is_table: bool) -> Record {
    Records::new(bytes.as_ref()).next(is_table).unwrap().unwrap().clone()
}

fn line(bytes: impl AsRef<[u8]>) -> Record {
    record(bytes, false)
}

fn row(bytes: impl AsRef<[u8]>) -> Record {
    record(bytes, true)
}

fn begins(first: &str, requested: Option<ImportFormat>) -> Result<ImportFormat, ImportError> {
    FileLayout::of(&line(first), requested, false).map(|layout| layout.format())
}

fn read(first: &str, text: &str) -> Result<ImportRow, BadLine> {
    let layout = FileLayout::of(&line(first), None, false).unwrap();
    layout.import_row(&record(text, layout.is_table()), &provider())
}

fn with_external_ids(text: &str) -> Result<Option<String>, BadLine> {
    let layout = FileLayout::of(&line("{"), None, true).unwrap();
    layout.import_row(&line(text), &provider()).map(|import_row| import_row.id)
}

#[test]
fn a_file_is_told_by_how_it_begins() {
    let cases = [
        (HEADER, ImportFormat::Csv),
        ("password_digest,primary_email_address,id", ImportFormat::Csv),
        ("\"id\",\"primary_email_address\"", ImportFormat::Csv),
        (r#"{"id":"user_1"}"#, ImportFormat::Ndjson),
        (" {", ImportFormat::Ndjson),
        ("id,external_id", ImportFormat::Pairs),
        (" external_id ,\"id\"", ImportFormat::Pairs),
    ];
    for (first, format) in cases {
        assert_eq!(begins(first, None).unwrap(), format, "{first}");
        assert_eq!(begins(first, Some(format)).unwrap(), format, "{first}");
    }
}

#[test]
fn what_begins_otherwise_is_refused_with_what_is_expected() {
    for first in [
        "id;external_id",
        "id,email",
        "id,external_id,name",
        "id",
        "<html>",
        "\"id,external_id",
        "id,external_id,\"x",
        "id,external_id\ra,user_1\r",
    ] {
        let error = begins(first, None).unwrap_err().to_string();
        for expected in [HEADER, "NDJSON", "id,external_id"] {
            assert!(error.contains(expected), "{first}: {error}");
        }
    }
    assert!(matches!(begins("[{", None), Err(ImportError::JsonArray)));
    let utf16 = FileLayout::of(&line(b"\xff\xfei\0d\0"), None, false);
    assert!(matches!(utf16, Err(ImportError::Utf16)));
}

#[test]
fn a_named_format_is_not_overruled_by_the_beginning() {
    let unknown = |first, format| {
        matches!(begins(first, Some(format)), Err(ImportError::UnknownBeginning { .. }))
    };
    assert!(unknown("id,external_id", ImportFormat::Csv));
    assert!(unknown(HEADER, ImportFormat::Pairs));
    assert!(unknown("{", ImportFormat::Pairs));
    assert_eq!(begins("torn}", Some(ImportFormat::Ndjson)).unwrap(), ImportFormat::Ndjson);
}

#[test]
fn only_objects_have_a_field_for_the_rows_id() {
    for first in [HEADER, "id,external_id"] {
        let layout = FileLayout::of(&line(first), None, true);
        assert!(matches!(layout, Err(ImportError::NoExternalIds)), "{first}");
    }
    assert_eq!(with_external_ids(r#"{"id":"user_1","external_id":" 42 "}"#), Ok(Some("42".into())));
    for missing in [r#"{"id":"user_1"}"#, r#"{"id":"user_1","external_id":" "}"#] {
        assert_eq!(with_external_ids(missing), Err(BadLine::NoRowId));
    }
    assert_eq!(read("{", r#"{"id":"user_1","external_id":"42"}"#).unwrap().id, None);
}

#[test]
fn cells_are_found_by_the_names_above_them() {
    let line = "digest,a@x,user_1";
    let user = read("password_digest,primary_email_address,id", line).unwrap();
    assert_eq!(user.snapshot.external_id, "user_1");
    assert_eq!(user.snapshot.profile.email.as_deref(), Some("a@x"));
    assert_eq!(user.id, None);
}

#[test]
fn pairs_are_read_in_either_order_and_without_blanks_around() {
    for (header, line) in [
        ("id,external_id", "42,user_1"),
        ("id,external_id", " 42 ,\" user_1\""),
        ("external_id,id", " user_1,42 "),
    ] {
        let pair = read(header, line).unwrap();
        let ids = (pair.id.as_deref(), pair.snapshot.external_id.as_str());
        assert_eq!(ids, (Some("42"), "user_1"), "{line}");
    }
}

#[test]
fn every_fault_of_a_pair_is_told() {
    let pair = |line: &str| read("id,external_id", line).map(drop);
    let columns = |found| Err(BadLine::Columns { found, expected: 2 });
    assert_eq!(pair("42"), columns(1));
    assert_eq!(pair("42,user_1,x"), columns(3));
    assert_eq!(pair(",user_1"), Err(BadLine::NoRowId));
    assert_eq!(pair("4\u{7}2,user_1"), Err(BadLine::UnusableRowId));
    assert_eq!(pair(&format!("{},user_1", "x".repeat(256))), Err(BadLine::UnusableRowId));
    assert_eq!(pair(&format!("{},user_1", "x".repeat(255))), Ok(()));
    assert_eq!(pair("42,"), Err(ExportError::NoId.into()));
    assert_eq!(pair("user_1,42"), Err(ExportError::ForeignId.into()));
    assert_eq!(pair("4\u{0}2,user_1"), Err(BadLine::Nul));
    assert_eq!(pair("\"42\" ,user_1"), Ok(()));
    let layout = FileLayout::of(&line("id,external_id"), None, false).unwrap();
    let read = |bytes: &[u8]| layout.import_row(&row(bytes), &provider()).map(drop);
    assert_eq!(read(b"\xff,user_1"), Err(BadLine::NotUtf8));
    let mut long = row("42,user_1");
    long.fault = Some(BadLine::TooLong);
    assert_eq!(layout.import_row(&long, &provider()), Err(BadLine::TooLong));
}

#[test]
fn a_column_that_is_not_read_may_hold_anything_but_must_be_there() {
    let header = "id,primary_email_address,password_digest";
    let layout = FileLayout::of(&line(header), None, false).unwrap();
    let read = |bytes: &[u8]| layout.import_row(&row(bytes), &provider()).map(drop);
    assert_eq!(read(b"user_1,a@x,\"torn\"\xff"), Ok(()));
    assert_eq!(read(b"user_1,a@x"), Err(BadLine::Columns { found: 2, expected: 3 }));
}
