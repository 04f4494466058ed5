//! The formats, and what of them is never kept.

use super::{assert_without, import, import_plainly, migrated, pairs, rows};
use crate::support::{Engine, Program, TestDatabase, shell, user_id};
use serde_json::json;

/// Stands in every cell and field that must never be kept.
const SECRET_MARK: &str = "mk3w8secret";

/// The dashboard's export, with a comment above it.
fn dashboard_export() -> String {
    let header = "id,first_name,last_name,username,primary_email_address,primary_phone_number,\
        verified_email_addresses,unverified_email_addresses,verified_phone_numbers,\
        unverified_phone_numbers,totp_secret,password_digest,password_hasher";
    let secrets = format!("{SECRET_MARK}totp,$2a$10${SECRET_MARK},bcrypt");
    format!(
        "\u{feff}# exported, \"today\r\n\r\n{header}\r\n\
         {},Ada,Lovelace,ada,ada@example.org,+15555550100,ada@example.org|ada@example.com,,+15555550100,,{secrets}\r\n\
         {},\"Bob \"\"the\nBuilder\"\"\",,,,,\"bob@example.com,bob@example.org\",x@example.org,,,{secrets}\r\n\
         {},Cy,,,cy@example.org,,,cy@example.org,,,{secrets}",
        user_id(1),
        user_id(2),
        user_id(3),
    )
}

fn fields(database: &TestDatabase) -> Vec<String> {
    let sql = "SELECT name || '|' || COALESCE(email, '-') || '|' || \
        CASE WHEN email_verified THEN 'verified' ELSE 'not' END || '|' || COALESCE(phone, '-') \
        || '|' || COALESCE(username, '-') AS value FROM users ORDER BY external_id";
    database.texts(sql)
}

both_engines! {
    async fn the_dashboards_export_brings_profiles_and_no_secrets(engine) {
        let database = migrated(engine);
        let program = Program::on(&database).with("RUST_LOG", "trace");
        let run = import_plainly(&program, dashboard_export(), &[]);
        assert_eq!(run.status, Some(0), "{run:?}");
        assert!(run.stdout.contains("csv: 3 line(s) read, 3 imported, 0 known already, 0 bad"), "{run:?}");
        assert_eq!(fields(&database), [
            "Ada Lovelace|ada@example.org|verified|+15555550100|ada",
            "Bob \"the\nBuilder\"|bob@example.com|verified|-|-",
            "Cy|cy@example.org|not|-|-",
        ]);
        assert_without(SECRET_MARK, &database, &run);
        assert_without("bcrypt", &database, &run);
    }

    async fn bad_rows_of_the_dashboards_export_tell_no_secrets_either(engine) {
        let database = migrated(engine);
        let program = Program::on(&database).with("RUST_LOG", "trace");
        let broken = dashboard_export().replace(",bcrypt", "").replace("Ada", SECRET_MARK);
        let run = import_plainly(&program, broken, &[]);
        assert_eq!(run.status, Some(1), "{run:?}");
        for line in [4, 5, 7] {
            let message = format!("line {line}: it has 12 column(s), and the header 13");
            assert!(run.stderr.contains(&message), "{run:?}");
        }
        assert_without(SECRET_MARK, &database, &run);
        assert!(rows(&database).is_empty());
    }

    async fn users_of_the_api_come_without_private_and_unsafe_metadata(engine) {
        let database = migrated(engine);
        let user = |number: usize| json!({
            "id": user_id(number), "object": "user", "first_name": "Ada", "banned": number == 2,
            "private_metadata": {"note": SECRET_MARK}, "unsafe_metadata": {"note": SECRET_MARK},
            "public_metadata": {"role": "admin", "plan": "pro"}, "created_at": 1_754_012_591_514_i64,
            "password_digest": SECRET_MARK, "totp_secret": SECRET_MARK,
        });
        let file = format!("{}\r\n\r\n{}", user(1), user(2));
        let program = Program::on(&database).with("RUST_LOG", "trace");
        let run = import_plainly(&program, file, &[]);
        assert_eq!(run.status, Some(0), "{run:?}");
        let sql = "SELECT role || ' ' || plan || ' ' || status AS value FROM users ORDER BY external_id";
        assert_eq!(database.query(sql), ["admin pro active", "admin pro banned"].map(|row| Some(row.to_owned())));
        assert_eq!(database.count("users WHERE source_created_at IS NOT NULL"), 2);
        assert_without(SECRET_MARK, &database, &run);
    }

}

#[test]
fn a_format_may_be_named() {
    let database = migrated(Engine::Sqlite);
    let torn_first = format!("torn\n{}\n", json!({"id": user_id(1)}));
    assert_eq!(import(&database, &torn_first, &[]).status, Some(1));
    let run = import(&database, &torn_first, &["--format", "ndjson"]);
    assert_eq!((run.status, run.counts()), (Some(1), [2, 1, 0, 1]), "{run:?}");
    let run = import(&database, pairs(&[]), &["--format", "csv"]);
    assert_eq!(run.status, Some(1), "{run:?}");
    let run = import(&database, pairs(&[]), &["--format", "xml"]);
    assert_eq!(run.status, Some(2), "{run:?}");
}

#[test]
fn the_rows_ids_are_asked_of_no_csv() {
    let database = migrated(Engine::Sqlite);
    let run = import(&database, dashboard_export(), &["--ids-from-external-id"]);
    assert_eq!(run.status, Some(1));
    assert!(run.stderr.contains("a CSV export has no such column"), "{run:?}");
    assert!(rows(&database).is_empty());
}

#[test]
fn standard_input_is_read_to_its_end() {
    let database = migrated(Engine::Sqlite);
    let program = Program::on(&database);
    let exe = env!("CARGO_BIN_EXE_usersync");
    let line = format!(
        "printf 'id,external_id\\na,{}\\nb,{}' | DATABASE_URL='{}' '{exe}' import -",
        user_id(1),
        user_id(2),
        database.url()
    );
    let printed = shell(&program, &line);
    insta::allow_duplicates!(
        insta::assert_snapshot!(printed, @"pairs: 2 line(s) read, 2 imported, 0 known already, 0 bad")
    );
    assert_eq!(rows(&database), [format!("a {}", user_id(1)), format!("b {}", user_id(2))]);
}
