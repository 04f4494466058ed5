//! Tests of reading exported users: CSV rows and JSON objects become snapshots or errors.

use super::clerk;
use crate::domain::{AbsenceBaseline, Snapshot, Status, Timestamp, Version};
use crate::provider::{ExportError, Provider};

/// A row with these cells, the others empty.
fn row(cells: &[(&str, &str)]) -> Result<Snapshot, ExportError> {
    let cell = |column: &&str| {
        let given = cells.iter().find(|(name, _)| name == column);
        Some(given.map_or(String::new(), |(_, text)| (*text).to_owned()))
    };
    clerk(&[]).of_row(Provider::EXPORT_COLUMNS.iter().map(cell).collect())
}

/// The email address of a row, and whether it is verified.
fn email(primary: &str, verified: &str) -> (Option<String>, bool) {
    let cells = [
        ("id", "user_1"),
        ("primary_email_address", primary),
        ("verified_email_addresses", verified),
    ];
    let profile = row(&cells).unwrap().profile;
    (profile.email, profile.email_verified)
}

fn object(json: &str) -> Result<Snapshot, ExportError> {
    clerk(&[]).of_object(json.as_bytes())
}

#[test]
fn a_row_becomes_a_profile() {
    let cells = [
        ("id", " user_1 "),
        ("first_name", "Ada"),
        ("last_name", " Lovelace"),
        ("username", "ada"),
        ("primary_phone_number", "+15555550100"),
        ("verified_phone_numbers", "+15555550101|+15555550100"),
    ];
    let user = row(&cells).unwrap();
    assert_eq!((user.external_id.as_str(), user.name.as_str()), ("user_1", "Ada Lovelace"));
    assert_eq!(user.profile.username.as_deref(), Some("ada"));
    assert_eq!(user.profile.phone.as_deref(), Some("+15555550100"));
    assert_eq!((user.role.as_str(), user.plan.as_str()), ("user", "free"));
    assert_eq!(user.profile.status, Status::Active);
}

#[test]
fn an_address_is_verified_where_the_verified_ones_hold_it() {
    let some = |address: &str| Some(address.to_owned());
    assert_eq!(email("a@x", "a@x"), (some("a@x"), true));
    assert_eq!(email("A@x", "b@x| a@x "), (some("A@x"), true));
    assert_eq!(email("a@x", "b@x,aa@x"), (some("a@x"), false));
    assert_eq!(email("a@x", ""), (some("a@x"), false));
}

#[test]
fn trap_12_without_a_primary_address_only_a_verified_one_will_do() {
    assert_eq!(email("", " |b@x,c@x"), (Some("b@x".to_owned()), true));
    assert_eq!(email(" ", ""), (None, false));
}

#[test]
fn columns_that_a_table_lacks_are_empty() {
    let mut cells = vec![None; Provider::EXPORT_COLUMNS.len()];
    cells[0] = Some("user_1".to_owned());
    assert_eq!(clerk(&[]).of_row(cells), clerk(&[]).of_id("user_1"));
    assert_eq!(clerk(&[]).of_row(Vec::new()), Err(ExportError::NoId));
}

#[test]
fn no_secret_column_is_read() {
    for column in ["totp_secret", "password_digest", "password_hasher"] {
        assert!(!Provider::EXPORT_COLUMNS.contains(&column), "{column}");
        assert!(Provider::EXPORT_HEADER.split(',').any(|name| name == column), "{column}");
    }
    assert!(
        Provider::EXPORT_COLUMNS
            .iter()
            .all(|column| Provider::EXPORT_HEADER.split(',').any(|name| name == *column))
    );
}

#[test]
fn an_id_that_no_snapshot_would_find_is_refused() {
    let cases = [
        ("", ExportError::NoId),
        (" ", ExportError::NoId),
        ("42", ExportError::ForeignId),
        ("user_", ExportError::ForeignId),
        ("org_1", ExportError::ForeignId),
        ("User_1", ExportError::ForeignId),
        ("user_1 user_2", ExportError::UnusableId),
        ("user_\u{7}", ExportError::UnusableId),
        ("user_\u{a0}x", ExportError::UnusableId),
    ];
    for (id, fault) in cases {
        assert_eq!(clerk(&[]).of_id(id), Err(fault.clone()), "{id:?}");
        assert_eq!(row(&[("id", id)]).map(drop), Err(fault), "{id:?}");
    }
    let of_length = |length: usize| format!("user_{}", "x".repeat(length - 5));
    assert_eq!(clerk(&[]).of_id(&of_length(256)), Err(ExportError::UnusableId));
    assert!(clerk(&[]).of_id(&of_length(255)).is_ok());
}

#[test]
fn an_imported_user_has_the_version_that_every_snapshot_beats() {
    let user = object(
        r#"{"id":"user_1","updated_at":1754100000300,"created_at":1754012591514,"locked":true,
            "lockout_expires_in_seconds":60,"last_sign_in_at":1754099990000,"external_id":"42",
            "public_metadata":{"role":"admin","b":1},"private_metadata":{"x":1}}"#,
    );
    let user = user.unwrap();
    assert_eq!(user.version, Version::IMPORTED);
    let baseline = AbsenceBaseline { updated_at_ms: 0, projection: 0 };
    for version in [Version::of_event(0, 0, [0; 32]), Version::of_absence(baseline, 1)] {
        assert!(version > Version::IMPORTED);
    }
    assert_eq!((user.fetched_at, user.profile.locked_until), (None, None));
    assert_eq!(user.profile.status, Status::Locked);
    assert_eq!(user.last_sign_in_at.map(Timestamp::as_millis), Some(1_754_099_990_000));
    assert_eq!(user.profile.source_created_at.map(Timestamp::as_millis), Some(1_754_012_591_514));
    assert_eq!(
        (user.role.as_str(), user.profile.source_external_id.as_deref()),
        ("admin", Some("42"))
    );
    assert_eq!(user.profile.public_metadata, r#"{"b":1,"role":"admin"}"#);
}

#[test]
fn an_error_of_an_object_has_its_place_and_not_its_values() {
    let cases = [
        ("", ExportError::NoObject),
        ("eve", ExportError::NoObject),
        (r#""eve""#, ExportError::NoObject),
        (r#"["eve"]"#, ExportError::NoObject),
        (r#"{"id":"user_1""#, ExportError::NoObject),
        (r#"{"id":"user_1"} {"#, ExportError::NoObject),
        (r#"{"name":"eve"}"#, ExportError::NoId),
        (r#"{"id":null}"#, ExportError::NoId),
        (r#"{"id":"eve"}"#, ExportError::ForeignId),
        (r#"{"id":"user_\u0000eve"}"#, ExportError::UnusableId),
        (r#"{"id":"user_1","external_id":"4\u00002"}"#, ExportError::UnusableId),
        (r#"{"id":7}"#, ExportError::WrongType("id".into())),
        (
            r#"{"id":"user_1","email_addresses":[{"id":"a"},{"email_address":["eve"]}]}"#,
            ExportError::WrongType("email_addresses[1].email_address".into()),
        ),
        (
            r#"{"id":"user_1","public_metadata":"eve"}"#,
            ExportError::WrongType("public_metadata".into()),
        ),
        (
            r#"{"id":"user_1","created_at":99999999999999999}"#,
            ExportError::OutOfRange("created_at".into()),
        ),
        (
            r#"{"id":"user_1","last_sign_in_at":99999999999999999}"#,
            ExportError::OutOfRange("last_sign_in_at".into()),
        ),
    ];
    for (json, fault) in cases {
        assert_eq!(object(json), Err(fault.clone()), "{json}");
        assert!(!fault.to_string().contains("eve"), "{fault}");
    }
    assert_eq!(clerk(&[]).of_object(b"{\"id\":\"user_\xff\"}"), Err(ExportError::NoObject));
}

#[test]
fn nul_in_other_text_is_taken_out_as_everywhere() {
    let user = object(r#"{"id":"user_1","first_name":"A\u0000da"}"#).unwrap();
    assert_eq!(user.profile.first_name.as_deref(), Some("Ada"));
}
