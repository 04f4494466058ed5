//! One schema on two engines: the same tables and columns, as the code believes them to be,
//! and a view that applications can rely on.

use crate::support::{
    Engine, PROFILE_COLUMNS, Program, TestApp, TestDatabase, USER_FIELDS, configuration, deleted,
    until_true, user, user_id, user_with,
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

/// Makes the migrations after the first ones pending again.
fn forget_migrations_after(database: &TestDatabase, count: usize) {
    for name in migrations("postgres").into_iter().skip(count) {
        let version = name.split('_').next().unwrap().replace('-', "");
        let forget = format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'");
        database.execute(&forget);
    }
}

#[tokio::test]
async fn an_index_that_is_built_while_a_transaction_is_open_keeps_no_delivery_waiting() {
    crate::support::run(async {
        let replica = TestApp::start(Engine::Postgres).await;
        let database = &replica.database;
        forget_migrations_after(database, 3);
        database.execute("DROP INDEX users_source_created_at; DROP INDEX users_deleted; DROP TABLE user_calls");
        replica.send(&user(&user_id(1), 1_000)).await;
        let mut operator = database.connect();
        operator.batch_execute("BEGIN; UPDATE users SET name = name").unwrap();
        let program = Program::on(database);
        let migrating = program.start(&["migrate"]);
        let waits = "pg_stat_activity WHERE query LIKE '%INDEX CONCURRENTLY%' AND wait_event_type = 'Lock' \
                     AND application_name = 'usersync'";
        until_true("the index waits", async || database.count(waits) >= 1).await;
        for number in 2..6 {
            let answer = replica.send(&user(&user_id(number), 1_000)).await;
            assert_eq!(answer.outcome(), "applied");
        }
        operator.batch_execute("COMMIT").unwrap();
        let (status, said) = migrating.ended();
        assert_eq!(status, Some(0), "{said}");
        let schema = &database.schema;
        let indexes = format!("pg_indexes WHERE schemaname = '{schema}' AND indexname IN ('users_source_created_at', 'users_deleted')");
        assert_eq!((database.count(&indexes), database.count("pg_index WHERE NOT indisvalid")), (2, 0));
    })
    .await;
}

#[tokio::test]
async fn a_migration_that_waits_for_a_lock_lets_writers_pass() {
    let database = migrated(Engine::Postgres);
    forget_migrations_after(&database, 2);
    for table in ["job_candidates", "jobs", "leases", "user_calls"] {
        database.execute(&format!("DROP TABLE {table} CASCADE"));
    }
    let mut other = database.connect();
    other.batch_execute("BEGIN; LOCK TABLE write_backs IN ROW EXCLUSIVE MODE").unwrap();
    let program = Program::on(&database);
    let mut migrating = program.start(&["migrate"]);
    migrating.line_with("a migration waits for a lock");
    // Behind a lock that is waited for without a limit this would wait, too.
    for _ in 0..5 {
        database.execute("SET lock_timeout TO 2000; DELETE FROM write_backs");
    }
    other.batch_execute("ROLLBACK").unwrap();
    let (status, said) = migrating.ended();
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(database.count("leases"), 0);
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
