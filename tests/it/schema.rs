//! One schema on two engines: the same tables and columns, as the code believes them to be,
//! and a view that applications can rely on.

use crate::support::{
    Engine, PROFILE_COLUMNS, TestApp, TestDatabase, USER_FIELDS, configuration, deleted, user,
    user_id, user_with,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use usersync::store::Store;

/// Of each table its columns, in order, each as `name kind` with `?` where it may be null.
type Tables = BTreeMap<String, Vec<String>>;

fn path(file: &str) -> String {
    format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn migrated(engine: Engine) -> TestDatabase {
    let database = TestDatabase::new(engine);
    let store = Store::new(&configuration(&database, &[]).database);
    assert!(store.migrate().unwrap() > 0);
    database
}

fn tables(database: &TestDatabase) -> Tables {
    let columns = |table: &String| {
        let columns = database.columns(table).into_iter();
        columns.map(|(name, kind)| format!("{name} {kind}")).collect()
    };
    database.tables().iter().map(|table| (table.clone(), columns(table))).collect()
}

/// What `store/schema.rs` declares, with the types of the given engine.
fn declared(engine: Engine) -> Tables {
    let text = fs::read_to_string(path("src/store/schema.rs")).unwrap();
    let (mut tables, mut table, mut renamed) = (Tables::new(), String::new(), None);
    for line in text.lines().map(str::trim) {
        if let Some((column, kind)) = line.trim_end_matches(',').split_once(" -> ") {
            let name = renamed.take().unwrap_or_else(|| column.to_owned());
            let column = format!("{name} {}", translated(kind, engine));
            tables.entry(table.clone()).or_default().push(column);
        } else if let Some(name) = line.strip_prefix("#[sql_name = \"") {
            renamed = Some(name.trim_end_matches("\"]").to_owned());
        } else if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with(") {")) {
            name.clone_into(&mut table);
        }
    }
    tables
}

fn translated(kind: &str, engine: Engine) -> String {
    let bare = kind.trim_start_matches("Nullable<").trim_end_matches('>');
    let (postgres, sqlite) = match bare {
        "Text" => ("text", "TEXT"),
        "Bool" => ("boolean", "INTEGER"),
        "Integer" => ("integer", "INTEGER"),
        "BigInt" => ("bigint", "INTEGER"),
        "SmallInt" => ("smallint", "INTEGER"),
        "Binary" => ("bytea", "BLOB"),
        "UtcColumn" => ("timestamp with time zone", "TEXT"),
        "JsonColumn" => ("jsonb", "TEXT"),
        other => panic!("{other} is new: say here what it is in SQL"),
    };
    let null = if bare == kind { "" } else { "?" };
    format!("{}{null}", if engine == Engine::Postgres { postgres } else { sqlite })
}

fn migrations(engine: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(path(&format!("migrations/{engine}"))).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The view has the time of a snapshot as the API shows it, and no fraction of a millisecond.
async fn assert_exact(app: &TestApp, updated_at: i64) {
    let exact = match app.database.engine {
        Engine::Postgres => {
            "to_char(source_updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"
        }
        Engine::Sqlite => "source_updated_at",
    };
    assert_eq!(app.send(&user("user_1", updated_at)).await.outcome(), "applied");
    let user = app.user("user_1").await;
    let shown = user["source_updated_at"].as_str().unwrap();
    let viewed = app.database.query(&format!("SELECT {exact} AS value FROM users_live"));
    let expected = match app.database.engine {
        Engine::Postgres => shown.replace('Z', "000"),
        Engine::Sqlite => shown.to_owned(),
    };
    assert_eq!(viewed, [Some(expected)], "{updated_at}");
}

both_engines! {
    async fn the_tables_are_what_the_code_declares(engine) {
        let database = migrated(engine);
        let declared = declared(engine);
        assert!(declared["users"].len() > 30);
        assert_eq!(tables(&database), declared);
    }

    async fn the_view_has_the_users_fields_in_their_order(engine) {
        let database = migrated(engine);
        let names: Vec<String> = database.columns("users_live").into_iter().map(|(name, _)| name).collect();
        let expected: Vec<&str> = USER_FIELDS.into_iter().filter(|name| *name != "deleted_at").collect();
        assert_eq!(names, expected);
    }

    async fn the_view_shows_live_users_as_the_api_does(app = TestApp::start) {
        for number in 1..=3 {
            app.send(&user(&user_id(number), 1_000)).await;
        }
        app.send(&deleted(&user_id(2))).await;
        let absent = "UPDATE users SET status = 'deleted', deletion_kind = 'absent'";
        app.database.execute(&format!("{absent} WHERE external_id = '{}'", user_id(3)));
        let live = app.database.query("SELECT external_id AS value FROM users_live");
        assert_eq!(live, [Some(user_id(1))]);
        let shown = app.user(&user_id(1)).await;
        for field in ["id", "email", "name", "role", "plan", "status"] {
            let value = app.database.query(&format!("SELECT {field} AS value FROM users_live"));
            assert_eq!(value, [shown[field].as_str().map(str::to_owned)], "{field}");
        }
    }

    async fn the_view_knows_the_providers_time_to_the_millisecond(app = TestApp::start) {
        for updated_at in [1, 999, 1_001, 1_760_000_000_535, 1_760_000_000_999] {
            assert_exact(&app, updated_at).await;
        }
        for step in 0..40 {
            assert_exact(&app, 1_763_000_000_000 + step * 7_919).await;
        }
        assert_exact(&app, 4_102_444_799_999).await;
    }

    async fn the_view_is_exact_in_the_last_year_too(app = TestApp::start) {
        assert_exact(&app, 253_402_207_199_999).await;
    }

    async fn the_view_has_no_time_where_the_event_has_none(app = TestApp::start) {
        app.send(&user_with("user_1", 1_000, "updated_at", serde_json::Value::Null)).await;
        let viewed = app.database.query("SELECT CAST(source_updated_at AS text) AS value FROM users_live");
        assert_eq!((viewed, &app.user("user_1").await["source_updated_at"]), (vec![None], &serde_json::Value::Null));
    }

    async fn migrating_twice_changes_nothing(engine) {
        let database = migrated(engine);
        let store = Store::new(&configuration(&database, &[]).database);
        assert!(store.is_current().unwrap());
        assert_eq!(store.migrate().unwrap(), 0);
    }
}

#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let names_of = |engine| -> BTreeMap<String, Vec<String>> {
        let tables = tables(&migrated(engine)).into_iter();
        let plain = |column: &String| {
            let null = if column.ends_with('?') { "?" } else { "" };
            format!("{}{null}", column.split(' ').next().unwrap())
        };
        tables.map(|(table, columns)| (table, columns.iter().map(plain).collect())).collect()
    };
    assert_eq!(names_of(Engine::Postgres), names_of(Engine::Sqlite));
}

#[test]
fn both_engines_have_migrations_of_the_same_names() {
    assert_eq!(migrations("postgres"), migrations("sqlite"));
    assert!(!migrations("sqlite").is_empty());
}

#[tokio::test]
async fn postgres_gathers_no_statistics_of_personal_columns() {
    crate::support::run(async {
    let app = TestApp::start(Engine::Postgres).await;
    app.send(&user(&user_id(1), 1_000)).await;
    app.database.execute("ANALYZE users; ANALYZE quarantine");
    // What is personal, or may quote it.
    let mut personal = [&PROFILE_COLUMNS[..], &["body", "public_metadata"]].concat();
    personal.sort_unstable();
    let columns = format!("'{}'", personal.join("', '"));
    let targets = app.database.texts(&format!(
        "SELECT attname::text AS value FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
         WHERE relnamespace = to_regnamespace(current_schema()) AND relname IN ('users', 'quarantine') \
         AND attname IN ({columns}) AND attstattarget = 0 ORDER BY 1"
    ));
    assert_eq!(targets, personal);
    let sampled = app
        .database
        .count(&format!("pg_stats WHERE schemaname = current_schema() AND attname IN ({columns})"));
    assert_eq!(sampled, 0);
    })
    .await;
}
