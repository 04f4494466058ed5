//! `usersync demo`: it ends in agreement, it can fail, and it touches nothing real.

use crate::support::{Program, shell};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A program whose temporary files are in a directory of its own.
fn program() -> (Program, PathBuf) {
    let program = Program::new();
    let directory = program.directory().to_owned();
    (program.with("TMPDIR", directory.to_str().unwrap()), directory)
}

fn left_behind(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_demo_ends_in_agreement_and_leaves_nothing_behind() {
    let (program, directory) = program();
    let run = program.run(&["demo", "--users", "25"]);
    assert_eq!(run.status, Some(0), "{run:?}");
    let verdict = run.stdout.lines().last().unwrap();
    assert!(verdict.starts_with("The table agrees with the provider row by row, "), "{run:?}");
    for name in ["signed up", "dropped", "429 with Retry-After", "tombstoned", "users compared"] {
        assert!(run.stdout.contains(&format!("\n  {name} ")), "{name}: {run:?}");
    }
    assert_eq!((run.stderr.as_str(), left_behind(&directory)), ("", vec![]));
}

#[test]
fn for_a_machine_it_is_one_line_whatever_the_environment_says() {
    let (program, _) = program();
    let nowhere = "http://127.0.0.1:1";
    let program = [
        ("CLERK_SECRET_KEY", "sk_live_somebody"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_nonsense"),
        ("CLERK_API_URL", "https://api.example.com"),
        ("CLERK_PUBLISHABLE_KEY", "pk_live_nonsense"),
        ("CLERK_INSTANCE_ID", "ins_real"),
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/real"),
        ("USERSYNC_BIND", "0.0.0.0:1"),
        ("USERSYNC_METRICS_BIND", "0.0.0.0:1"),
        ("USERSYNC_ADMIN_TOKEN", "short"),
        ("USERSYNC_ROLES", "emperor"),
        ("USERSYNC_WRITE_BACK", "off"),
        ("PORT", "1"),
        ("RUST_LOG", "=/nonsense"),
        ("HTTP_PROXY", nowhere),
        ("http_proxy", nowhere),
        ("ALL_PROXY", nowhere),
    ]
    .into_iter()
    .fold(program, |program, (name, value)| program.with(name, value));
    let run = program.run(&["demo", "--users", "20", "--seed", "7", "--json"]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert_eq!(run.stdout.lines().count(), 1);
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&summary["agrees"], &summary["seed"]), (&true.into(), &7.into()), "{summary}");
    assert_eq!(summary["users"]["signed_up"], 20);
    assert!(summary["events"]["retried"].as_u64().unwrap() > 0, "{summary}");
}

/// Makes every later write of the demo's table leave a wrong name, once the table is there.
fn spoil_first_names(database: &Path) {
    let trigger = "CREATE TRIGGER spoil AFTER UPDATE ON users \
        WHEN NEW.first_name IS NOT NULL AND NEW.first_name <> 'Spoiled' \
        BEGIN UPDATE users SET first_name = 'Spoiled' WHERE id = NEW.id; END";
    let begun = Instant::now();
    loop {
        if database.exists() {
            let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
            connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
            if connection.batch_execute(trigger).is_ok() {
                return;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the demo made no table");
        std::thread::yield_now();
    }
}

#[test]
fn a_row_that_was_changed_behind_its_back_is_found() {
    let program = Program::new();
    let mut running = program.start(&["demo", "--users", "10", "--data", "spoiled"]);
    spoil_first_names(&program.directory().join("spoiled/usersync.db"));
    running.line_with("The table does not agree with the provider: ");
    let (status, said) = running.ended();
    assert_eq!(status, Some(1), "{said}");
    let mut lines = said.lines().filter(|line| line.starts_with("user_"));
    let found = lines.find(|line| line.contains(": first_name is ")).unwrap();
    assert!(found.ends_with(" at the provider and \"Spoiled\" in the table"), "{found}");
}

#[test]
fn one_that_is_kept_can_be_looked_at_until_it_is_stopped() {
    let program = Program::new();
    let mut running = program.start(&["demo", "--users", "5", "--keep", "--data", "my demo"]);
    running.line_with("Ctrl-C stops");
    let lines: Vec<String> = running.lines_to_copy();
    let [sign_up, rows] = &lines[..] else { panic!("{lines:?}") };
    assert!(shell(&program, sign_up).contains("ada@example.org"));
    let rows: Value = serde_json::from_str(&shell(&program, rows)).unwrap();
    assert!(rows["data"].as_array().unwrap().len() >= 3, "{rows}");

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = program.directory().join("my demo");
    assert_eq!((mode(&data), mode(&data.join("env"))), (0o700, 0o600));
    assert_eq!(running.terminate().0, Some(0));
    assert!(data.join("usersync.db").exists());
    let again = program.run(&["demo", "--data", "my demo"]);
    assert!(again.stderr.contains("in use already"), "{again:?}");
}

#[test]
fn its_flags_are_documented() {
    let help = Program::new().run(&["demo", "--help"]).stdout;
    for flag in ["--users", "--seed", "--keep", "--json", "--data"] {
        assert!(help.contains(flag), "{flag}: {help}");
    }
}
