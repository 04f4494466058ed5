//! Import: rows keep the ids that the application's foreign keys hold, and rows that are there are not
//! changed.

mod errors;
mod files;
mod races;

use crate::support::{
    Engine, Program, READ_TOKEN, RunOutput, TestApp, TestDatabase, deleted, user, user_id,
};
use serde_json::{Value, json};
use std::fmt::Write as _;

impl RunOutput {
    /// Lines read, imported, known and bad, by the object at the end.
    fn counts(&self) -> [u64; 4] {
        let sum: Value = serde_json::from_str(self.stdout.lines().last().unwrap()).unwrap();
        ["lines", "imported", "known", "bad"].map(|name| sum[name].as_u64().unwrap())
    }

    fn bad_lines(&self) -> Vec<(u64, String)> {
        let objects = self.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
        let bad = objects.filter(|object: &Value| object["reason"].is_string());
        bad.map(|bad| (bad["line"].as_u64().unwrap(), bad["reason"].as_str().unwrap().to_owned()))
            .collect()
    }
}

fn migrated(engine: Engine) -> TestDatabase {
    let database = TestDatabase::new(engine);
    assert_eq!(Program::on(&database).run(&["migrate"]).status, Some(0));
    database
}

fn import_plainly(program: &Program, content: impl AsRef<[u8]>, arguments: &[&str]) -> RunOutput {
    std::fs::write(program.directory().join("users"), content).unwrap();
    program.run(&[&["import", "users"], arguments].concat())
}

fn import_by(program: &Program, content: impl AsRef<[u8]>, arguments: &[&str]) -> RunOutput {
    import_plainly(program, content, &[&["--json"], arguments].concat())
}

fn import(database: &TestDatabase, content: impl AsRef<[u8]>, arguments: &[&str]) -> RunOutput {
    import_by(&Program::on(database), content, arguments)
}

fn pairs(pairs: &[(&str, String)]) -> String {
    let lines = pairs.iter().map(|(id, external_id)| format!("{id},{external_id}\n"));
    format!("id,external_id\n{}", lines.collect::<String>())
}

fn rows(database: &TestDatabase) -> Vec<String> {
    let sql = "SELECT id || ' ' || external_id AS value FROM users ORDER BY external_id";
    database.texts(sql)
}

fn bytes_on_disk(database: &TestDatabase) -> String {
    let mut text = String::new();
    for ending in ["", "-wal", "-shm"] {
        let path = format!("{}{ending}", database.sqlite_path().display());
        text += &String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default());
    }
    text
}

fn assert_without(mark: &str, database: &TestDatabase, run: &RunOutput) {
    let output = format!("{}{}", run.stdout, run.stderr);
    for (place, text) in
        [("output", output), ("tables", database.dump()), ("files", bytes_on_disk(database))]
    {
        assert!(!text.contains(mark), "in the {place}: {text}");
    }
}

/// The recipe of docs/operations.md: pairs of what write-back left at the provider.
fn ids_at_the_provider(app: &TestApp) -> String {
    let id = |user: &Value| user["public_metadata"]["dbId"].as_str().unwrap().to_owned();
    let users = app.emulator.users();
    let lines = users.iter().map(|user| format!("{},{}\n", id(user), user["id"].as_str().unwrap()));
    format!("id,external_id\n{}", lines.collect::<String>())
}

both_engines! {
    async fn ids_of_a_lost_table_come_back_from_the_provider(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        app.emulator.sign_up_many(5);
        app.quiet().await;
        app.database.until_count("users_live", 5).await;
        let (before, file) = (rows(&app.database), ids_at_the_provider(&app));
        let (_, emulator) = app.stop().await;

        let database = migrated(engine);
        assert_eq!(import(&database, file, &[]).counts(), [5, 5, 0, 0]);
        let app = TestApp::builder(&database).emulator(&emulator).start().await;
        assert_eq!(app.run_job(json!({"kind": "backfill"})).await["counters"]["updated"], 5);
        app.quiet().await;
        assert_eq!((rows(&database), app.outbox()), (before, Vec::new()));
    }

    async fn an_imported_row_keeps_its_id_and_takes_the_profile_of_the_first_event(app = TestApp::start) {
        let run = import(&app.database, pairs(&[("row-42", user_id(1))]), &[]);
        assert_eq!((run.status, run.counts()), (Some(0), [1, 1, 0, 0]), "{run:?}");
        let before = app.user("row-42").await;
        assert_eq!(before["external_id"], user_id(1));
        assert_eq!(before["name"], "User");
        assert_eq!((&before["email"], &before["source_updated_at"]), (&Value::Null, &Value::Null));
        assert_eq!((&before["role"], &before["plan"]), (&json!("user"), &json!("free")));
        // Any real version is greater than that of an imported row.
        let answer = app.send(&user(&user_id(1), 1)).await;
        assert_eq!((answer.outcome(), &answer.body["user_id"]), ("applied", &json!("row-42")));
        let after = app.user("row-42").await;
        assert_eq!(after["last_name"], "Version1");
        assert_eq!(after["email"], format!("{}@example.org", user_id(1)));
        assert_eq!(after["created_at"], before["created_at"]);
        assert_eq!(app.database.count("users"), 1);
        assert_eq!(app.database.count("write_backs"), 0);
    }

    async fn even_a_snapshot_without_a_time_beats_an_imported_row(app = TestApp::start) {
        let imported = json!({
            "id": user_id(1), "first_name": "Old", "updated_at": 1_900_000_000_000_i64,
            "last_sign_in_at": 5_000, "public_metadata": {"role": "admin"},
        });
        let run = import(&app.database, imported.to_string(), &[]);
        assert_eq!((run.status, run.counts()), (Some(0), [1, 1, 0, 0]), "{run:?}");
        let before = app.user(&user_id(1)).await;
        assert_eq!((&before["name"], &before["role"]), (&json!("Old"), &json!("admin")));
        let event = json!({"type": "user.updated", "data": {"id": user_id(1), "first_name": "New"}});
        assert_eq!(app.send(&event).await.outcome(), "applied");
        let after = app.user(&user_id(1)).await;
        assert_eq!((&after["name"], &after["role"]), (&json!("New"), &json!("user")));
        assert_eq!(after["last_sign_in_at"], before["last_sign_in_at"]);
    }

    async fn a_row_that_is_there_is_not_touched(app = TestApp::start) {
        assert_eq!(app.send(&user(&user_id(1), 1_000)).await.outcome(), "applied");
        let id = app.user(&user_id(1)).await["id"].as_str().unwrap().to_owned();
        let before = app.database.dump();
        let newer = json!({
            "id": user_id(1), "first_name": "Eve", "updated_at": 1_900_000_000_000_i64,
            "last_sign_in_at": 1_900_000_000_000_i64, "public_metadata": {"role": "admin"},
        });
        for content in [newer.to_string(), format!("id,primary_email_address\n{},eve@x", user_id(1)), pairs(&[(&id, user_id(1))])] {
            let run = import(&app.database, content, &[]);
            assert_eq!((run.status, run.counts()), (Some(0), [1, 0, 1, 0]), "{run:?}");
        }
        let run = import(&app.database, pairs(&[("row-42", user_id(1))]), &[]);
        assert_eq!((run.status, run.counts()), (Some(1), [1, 0, 0, 1]), "{run:?}");
        assert_eq!(run.bad_lines(), [(2, format!("{} already has the row {id}", user_id(1)))]);
        assert_eq!(app.database.dump(), before);
    }

    async fn a_deleted_user_stays_deleted(app = TestApp::start) {
        assert_eq!(app.send(&deleted(&user_id(1))).await.outcome(), "applied");
        let before = app.database.dump();
        let run = import(&app.database, json!({"id": user_id(1), "first_name": "Ada"}).to_string(), &[]);
        assert_eq!((run.status, run.counts()), (Some(0), [1, 0, 1, 0]), "{run:?}");
        assert_eq!(app.database.dump(), before);
        // An imported user is erased like any other.
        import(&app.database, json!({"id": user_id(2), "first_name": "Ada"}).to_string(), &[]);
        assert_eq!(app.send(&deleted(&user_id(2))).await.outcome(), "applied");
        assert!(!app.database.dump().contains("Ada"));
    }

    async fn a_dry_run_writes_nothing(engine) {
        let database = migrated(engine);
        let before = database.dump();
        let file = pairs(&[("a", user_id(1)), ("", user_id(2))]);
        let run = import_plainly(&Program::on(&database), &file, &["--dry-run"]);
        assert_eq!(run.status, Some(1), "{run:?}");
        insta::allow_duplicates!(insta::assert_snapshot!(run.stdout, @"pairs: 2 line(s) read, 1 would be imported, 0 known already, 1 bad"));
        assert!(run.stderr.contains("line 3: ") && run.stderr.contains("nothing was written"), "{run:?}");
        assert_eq!(database.dump(), before);
        assert_eq!(import(&database, &file, &[]).counts(), [2, 1, 0, 1]);
    }

    async fn a_file_of_many_thousand_lines_goes_in_whole(app = TestApp::start) {
        let count = 20_000;
        let mut file = "id,external_id\r\n".to_owned();
        for number in 0..count {
            write!(file, "row-{number},{}\r\n", user_id(number)).unwrap();
        }
        let run = import(&app.database, &file, &[]);
        assert_eq!((run.status, run.counts()), (Some(0), [20_000, 20_000, 0, 0]), "{run:?}");
        assert_eq!(app.database.count("users"), count);
        for number in [0, 499, 500, count - 1] {
            let row = app.get_as(READ_TOKEN, &format!("/v1/users/row-{number}")).await;
            assert_eq!(row.body["external_id"], user_id(number), "{row:?}");
        }
        let again = import(&app.database, &file, &[]);
        assert_eq!((again.status, again.counts()), (Some(0), [20_000, 0, 20_000, 0]), "{again:?}");
    }
}
