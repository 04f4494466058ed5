//! The program: with what it refuses to start and how it says so, what it documents, and how it
//! stops.

use crate::support::{Engine, Program, SECRET, TestDatabase};
use usersync::config::VARIABLES;

fn served_on(database: &TestDatabase) -> Program {
    Program::on(database)
        .with("USERSYNC_BIND", "127.0.0.1:0")
        .with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET)
}

#[test]
fn serve_without_a_secret_says_what_to_set() {
    for arguments in [&["serve"][..], &[]] {
        let run = Program::new().run(arguments);
        assert_eq!(run.status, Some(1), "{run:?}");
        assert!(run.stderr.contains("CLERK_WEBHOOK_SIGNING_SECRET"), "{run:?}");
        assert!(run.stderr.contains("usersync dev"), "{run:?}");
        assert_eq!(run.stderr.matches("\n  - ").count(), 1, "{run:?}");
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn every_wrong_variable_is_named_at_once() {
    let wrong = [
        ("DATABASE_URL", "mysql://root:hunter2@localhost/app"),
        ("USERSYNC_BIND", "localhost"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_hunter2"),
        ("USERSYNC_ADMIN_TOKEN", "hunter2"),
        ("USERSYNC_MIGRATE", "perhaps"),
        ("USERSYNC_DEFAULT_ROLE", "emperor"),
    ];
    let program =
        wrong.iter().fold(Program::new(), |program, (name, value)| program.with(name, value));
    let run = program.run(&["serve"]);
    assert_eq!(run.status, Some(1), "{run:?}");
    for (name, _) in wrong {
        assert!(run.stderr.contains(&format!("\n  - {name} ")), "{name}: {run:?}");
    }
    assert!(!run.stderr.contains("hunter2"), "{run:?}");
}

#[test]
fn trap_2_an_api_key_is_no_signing_secret() {
    let program =
        Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", "sk_test_abcdefghijklmnopqrstuvwx");
    let run = program.run(&["serve"]);
    assert_eq!(run.status, Some(1));
    assert!(run.stderr.contains("whsec_") && !run.stderr.contains("abcdefgh"), "{run:?}");
}

#[test]
fn secrets_are_no_flags() {
    for flag in
        ["--signing-secret", "--admin-token", "--database-url", "--clerk-webhook-signing-secret"]
    {
        let run = Program::new().run(&["serve", flag, SECRET]);
        assert_eq!(run.status, Some(2), "{flag}: {run:?}");
    }
}

#[test]
fn help_shows_every_variable_and_its_default() {
    for arguments in [&["--help"][..], &["serve", "--help"]] {
        let run = Program::new().run(arguments);
        assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
        for variable in VARIABLES {
            assert!(run.stdout.contains(variable.name), "{} is not in --help", variable.name);
            assert!(run.stdout.contains(variable.default), "{}", variable.name);
        }
    }
}

#[test]
fn the_documentation_lists_every_variable_as_the_code_does() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, tables) = page.split_once("<!-- variables -->").unwrap();
    let (tables, _) = tables.split_once("<!-- /variables -->").unwrap();
    let rows: Vec<&str> = tables.lines().filter(|line| line.starts_with("| `")).collect();
    let expected = VARIABLES.iter().map(|variable| {
        let default = match variable.default {
            "" => "–".to_owned(),
            default => format!("`{default}`"),
        };
        format!("| `{}` | {default} | {} |", variable.name, variable.meaning)
    });
    assert_eq!(rows, expected.collect::<Vec<_>>());
}

#[test]
fn a_missing_env_file_is_an_error_that_names_it() {
    let run = Program::new().run(&["serve", "--env-file", "nowhere.env"]);
    assert_eq!(run.status, Some(1));
    assert!(run.stderr.contains("nowhere.env"), "{run:?}");
}

both_engines! {
    async fn a_secret_may_stand_in_a_file(engine) {
        let database = TestDatabase::new(engine);
        let program = Program::on(&database)
            .with("USERSYNC_BIND", "127.0.0.1:0")
            .with("CLERK_WEBHOOK_SIGNING_SECRET_FILE", "secret");
        std::fs::write(program.directory().join("secret"), format!("{SECRET}\n")).unwrap();
        let mut running = program.start(&["serve"]);
        running.line_with("ready");
        assert_eq!(running.terminate().0, Some(0));
    }

    async fn a_signal_ends_the_service_in_order(engine) {
        let database = TestDatabase::new(engine);
        let mut running = served_on(&database).start(&["serve"]);
        running.line_with("ready");
        let (status, said) = running.terminate();
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("stopping"), "{said}");
    }

    async fn migrate_makes_the_schema_once_and_check_changes_nothing(engine) {
        let database = TestDatabase::new(engine);
        let program = Program::on(&database);
        let old = program.run(&["migrate", "--check"]);
        assert_eq!(old.status, Some(1), "{old:?}");
        assert!(old.stderr.contains("usersync migrate"), "{old:?}");
        let old = program.run(&["migrate", "--check"]);
        assert_eq!(old.status, Some(1), "the check changed something");
        assert_eq!(program.run(&["migrate"]).status, Some(0));
        assert_eq!(program.run(&["migrate", "--check"]).status, Some(0));
        assert!(program.run(&["migrate"]).stdout.contains("up to date already"));
        assert_eq!(database.count("users"), 0);
    }

    async fn a_service_that_only_checks_refuses_an_old_schema(engine) {
        let database = TestDatabase::new(engine);
        let program = served_on(&database).with("USERSYNC_MIGRATE", "check");
        let refused = program.run(&["serve"]);
        assert_eq!(refused.status, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("usersync migrate"), "{refused:?}");
        assert_eq!(program.run(&["migrate"]).status, Some(0));
        let mut running = program.start(&["serve"]);
        running.line_with("ready");
        assert_eq!(running.terminate().0, Some(0));
    }

    async fn a_new_sqlite_file_is_readable_by_its_owner_only(engine) {
        use std::os::unix::fs::PermissionsExt as _;
        let database = TestDatabase::new(engine);
        assert_eq!(Program::on(&database).run(&["migrate"]).status, Some(0));
        if engine == Engine::Sqlite {
            let file = std::fs::metadata(database.sqlite_path()).unwrap();
            assert_eq!(file.permissions().mode() & 0o777, 0o600);
        } else {
            assert!(!database.sqlite_path().exists());
        }
    }
}
