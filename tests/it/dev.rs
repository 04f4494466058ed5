//! `usersync dev` and `usersync send`: two commands try the service out, and touch nothing real.

use crate::support::{Answer, Program, Running, SECRET, TestApp, shell, until, user, user_id};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const SAMPLE_USER: &str = "user_33sR3n1FRYDsxjSPI9aGB8hbGo9";
const ENV_FILE: &str = "data/dev/env";

/// Starts `dev` on a free port; returns where it listens.
fn start(program: &Program) -> (Running, String) {
    let mut running = program.start(&["dev", "--port", "0"]);
    let line = running.line_with("usersync dev listens on http://127.0.0.1:");
    let (_, rest) = line.split_once("listens on ").unwrap();
    let origin = rest.split(". In").next().unwrap().to_owned();
    running.line_with("\"ready\"");
    (running, origin)
}

fn send(program: &Program, event: &str, origin: &str) -> String {
    let url = format!("{origin}/webhooks/clerk");
    let sent = program.run(&["send", event, "--env-file", ENV_FILE, "--url", &url]);
    assert_eq!(sent.status, Some(0), "{sent:?}");
    sent.stdout
}

fn variable(program: &Program, name: &str) -> String {
    let text = fs::read_to_string(program.directory().join(ENV_FILE)).unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap().to_owned()
}

async fn get(program: &Program, url: String) -> Answer {
    let token = variable(program, "USERSYNC_ADMIN_TOKEN");
    let request = reqwest::Client::new().get(url).bearer_auth(token);
    Answer::of(request.send().await.unwrap()).await
}

async fn sample_user(program: &Program, origin: &str) -> Answer {
    get(program, format!("{origin}/v1/users/{SAMPLE_USER}")).await
}

/// Waits until every row is written back to the emulator.
async fn until_written_back(program: &Program, origin: &str) {
    until("everything is written back", async || {
        let due = get(program, format!("{origin}/v1/write-backs?state=due")).await;
        (due.body["data"] == Value::Array(Vec::new())).then_some(())
    })
    .await;
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn an_event_that_is_sent_to_dev_is_applied_and_shown() {
    let program = Program::new();
    let (running, origin) = start(&program);
    assert!(send(&program, "user.created", &origin).starts_with("applied"));
    let created = sample_user(&program, &origin).await;
    assert_eq!(created.body["first_name"], "Rosalind");
    until_written_back(&program, &origin).await;
    let row = sample_user(&program, &origin).await.body;
    assert_eq!(row["public_metadata"]["dbId"], row["id"], "the emulator knows the user too");
    assert!(send(&program, "user.updated", &origin).starts_with("applied"));
    assert_eq!(sample_user(&program, &origin).await.body["last_name"], "Vane");
    until_written_back(&program, &origin).await;
    assert_eq!(sample_user(&program, &origin).await.body["last_name"], "Vane");
    assert!(send(&program, "user.deleted", &origin).starts_with("applied"));
    assert_eq!(sample_user(&program, &origin).await.body["status"], "deleted");
    assert!(send(&program, "user.created", &origin).starts_with("tombstoned"));
    assert_eq!(running.terminate().0, Some(0));
}

/// Starts `dev`; returns the lines that it prints to be copied.
fn start_and_read(program: &Program) -> (Running, [String; 4]) {
    let (mut running, _) = start(program);
    running.line_with("Ctrl-C stops");
    let lines = running.lines_to_copy();
    let lines = lines.try_into().unwrap_or_else(|lines| panic!("{lines:?}"));
    (running, lines)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}"))
}

#[tokio::test]
async fn the_lines_that_dev_prints_work_as_they_are() {
    let program = Program::new();
    let (running, [sign_up, row, who_am_i, send]) = start_and_read(&program);
    let user = json(&shell(&program, &sign_up));
    assert!(user["id"].as_str().unwrap().starts_with("user_"), "{user}");
    let me = json(&shell(&program, &who_am_i));
    assert_eq!(
        (&me["external_id"], &me["user"]["email"]),
        (&user["id"], &"ada@example.org".into())
    );
    let rows = json(&shell(&program, &row));
    assert_eq!(rows["data"][0]["external_id"], user["id"], "{rows}");
    assert!(shell(&program, &send).starts_with("applied"));
    for secret in ["CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_SECRET_KEY", "USERSYNC_ADMIN_TOKEN"] {
        assert!(!running.said.contains(&variable(&program, secret)), "{}", running.said);
    }
    assert_eq!(running.terminate().0, Some(0));
}

#[tokio::test]
async fn users_and_keys_of_the_emulator_survive_a_restart() {
    let program = Program::new();
    let (running, [sign_up, row, ..]) = start_and_read(&program);
    let user = json(&shell(&program, &sign_up));
    let find = async |row: &str| {
        until("the event is applied", async || {
            Some(json(&shell(&program, row))["data"].get(0)?.clone())
        })
        .await
    };
    let before = find(&row).await;
    let key = variable(&program, "CLERK_SECRET_KEY");
    assert!(key.starts_with("sk_test_usersync_emulator_"), "{key}");
    running.terminate();
    let (running, [sign_up, row, who_am_i, _]) = start_and_read(&program);
    assert_eq!(variable(&program, "CLERK_SECRET_KEY"), key);
    let again = shell(&program, &sign_up);
    assert!(again.contains("form_identifier_exists"), "{again}");
    assert_eq!(json(&shell(&program, &who_am_i))["external_id"], user["id"]);
    assert_eq!(find(&row).await["id"], before["id"]);
    running.terminate();
}

#[test]
fn a_directory_of_another_program_is_left_alone() {
    let program = Program::new();
    private_directory(&program, "real");
    let real = "CLERK_SECRET_KEY=sk_live_0123456789\nDATABASE_URL=postgres://real\n";
    fs::write(program.directory().join("real/env"), real).unwrap();
    let refused = program.run(&["dev", "--data", "real"]);
    assert!(refused.stderr.contains("not the emulator's"), "{refused:?}");
    let refused = program.run(&["demo", "--data", "real"]);
    assert!(refused.stderr.contains("in use already"), "{refused:?}");
    assert_eq!(fs::read_to_string(program.directory().join("real/env")).unwrap(), real);
    fs::create_dir(program.directory().join("open")).unwrap();
    fs::set_permissions(program.directory().join("open"), Permissions::from_mode(0o755)).unwrap();
    let refused = program.run(&["dev", "--data", "open"]);
    assert!(refused.stderr.contains("chmod 700 open"), "{refused:?}");
}

fn private_directory(program: &Program, name: &str) {
    let path = program.directory().join(name);
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn variables_of_an_earlier_version_are_completed_and_kept() {
    let program = Program::new();
    private_directory(&program, "data/dev");
    let token = "a-token-of-an-earlier-version-0123456789";
    let old = format!("# old\nUSERSYNC_ADMIN_TOKEN={token}\n");
    fs::write(program.directory().join(ENV_FILE), &old).unwrap();
    let (running, [sign_up, row, ..]) = start_and_read(&program);
    let now = fs::read_to_string(program.directory().join(ENV_FILE)).unwrap();
    assert!(now.starts_with(&old), "{now}");
    assert_eq!(mode(&program.directory().join(ENV_FILE)), 0o600);
    for name in ["CLERK_SECRET_KEY", "CLERK_API_URL", "CLERK_PUBLISHABLE_KEY", "DATABASE_URL"] {
        assert_ne!(variable(&program, name), "", "{name}");
    }
    shell(&program, &sign_up);
    until("the event is applied", async || json(&shell(&program, &row))["data"].get(0).map(drop))
        .await;
    running.terminate();
}

#[test]
fn dev_with_clerk_says_what_it_needs_and_refuses_a_production_instance() {
    let missing = Program::new().run(&["dev", "--clerk"]);
    assert_eq!(missing.status, Some(1), "{missing:?}");
    for needed in ["CLERK_SECRET_KEY", "CLERK_WEBHOOK_SIGNING_SECRET", "dashboard"] {
        assert!(missing.stderr.contains(needed), "{missing:?}");
    }
    let live = "sk_live_0123456789";
    let program = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET);
    fs::write(program.directory().join(".env"), format!("CLERK_SECRET_KEY={live}\n")).unwrap();
    let refused = program.run(&["dev", "--clerk", "--env-file", ".env"]);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("production instance"), "{refused:?}");
    assert!(!refused.stderr.contains(live) && !program.directory().join("data").exists());
}

#[test]
fn dev_with_clerk_starts_no_emulator_and_keeps_no_key_of_clerk() {
    let key = "sk_test_0123456789";
    let program = Program::new()
        .with("CLERK_SECRET_KEY", key)
        .with("CLERK_API_URL", "http://127.0.0.1:1")
        .with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET)
        .with("DATABASE_URL", "postgres://nobody@127.0.0.1:1/real");
    let mut running = program.start(&["dev", "--clerk", "--port", "0"]);
    let line = running.line_with("clerk webhooks listen --forward-to http://127.0.0.1:");
    assert!(line.ends_with("/webhooks/clerk"), "{line}");
    running.line_with("\"ready\"");
    running.line_with("Ctrl-C stops");
    let lines = running.lines_to_copy();
    assert_eq!(json(&shell(&program, &lines[0]))["data"], Value::Array(Vec::new()));
    let data = program.directory().join("data/dev-clerk");
    assert!(!data.join("emulator.json").exists());
    let env = fs::read_to_string(data.join("env")).unwrap();
    assert!(!env.contains(key) && !env.contains(SECRET), "{env}");
    assert_eq!(running.terminate().0, Some(0));
}

#[tokio::test]
async fn what_dev_keeps_is_for_its_user_alone() {
    let program = Program::new();
    let (running, origin) = start(&program);
    send(&program, "user.created", &origin);
    let data = program.directory().join("data/dev");
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    for name in ["env", "emulator.json", "usersync.db"] {
        assert!(files.contains(&data.join(name)), "{files:?}");
    }
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    running.terminate();
}

#[tokio::test]
async fn dev_looks_at_nothing_real_in_the_environment() {
    let program = Program::new()
        .with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET)
        .with("CLERK_INSTANCE_ID", "ins_real")
        .with("DATABASE_URL", "postgres://nobody@127.0.0.1:1/real")
        .with("USERSYNC_BIND", "0.0.0.0:0");
    let (running, origin) = start(&program);
    assert!(send(&program, "user.created", &origin).starts_with("applied"));
    assert!(program.directory().join("data/dev/usersync.db").exists());
    assert_ne!(variable(&program, "CLERK_WEBHOOK_SIGNING_SECRET"), SECRET);
    let url = format!("{origin}/webhooks/clerk");
    let real = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET);
    let refused = real.run(&["send", "user.created", "--url", &url]);
    assert!(refused.stderr.contains("bad_signature"), "{refused:?}");
    running.terminate();
}

#[tokio::test]
async fn dev_keeps_its_secrets_and_users_from_one_start_to_the_next() {
    let program = Program::new();
    let (running, origin) = start(&program);
    send(&program, "user.created", &origin);
    let secret = variable(&program, "CLERK_WEBHOOK_SIGNING_SECRET");
    running.terminate();
    let (running, origin) = start(&program);
    assert_eq!(variable(&program, "CLERK_WEBHOOK_SIGNING_SECRET"), secret);
    assert_eq!(sample_user(&program, &origin).await.status, 200);
    running.terminate();
}

both_engines! {
    async fn send_with_a_wrong_secret_fails_and_says_so(engine) {
        let app = TestApp::start(engine).await;
        let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let program = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", other);
        let sent = program.run(&["send", "user.created", "--url", &app.url]);
        assert_eq!(sent.status, Some(1), "{sent:?}");
        assert!(sent.stderr.contains("bad_signature"), "{sent:?}");
        assert!(!sent.stderr.contains(other), "{sent:?}");
    }

    async fn send_posts_the_bytes_of_a_file_as_they_are(engine) {
        let app = TestApp::start(engine).await;
        let program = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET);
        let event = serde_json::to_string_pretty(&user(&user_id(7), 1_000)).unwrap();
        fs::write(program.directory().join("event.json"), event).unwrap();
        let sent = program.run(&["send", "event.json", "--url", &app.url, "--json", "--message-id", "msg_7"]);
        assert_eq!(sent.status, Some(0), "{sent:?}");
        let answer: serde_json::Value = serde_json::from_str(&sent.stdout).unwrap();
        assert_eq!((&answer["outcome"], &answer["event_id"]), (&"applied".into(), &"msg_7".into()));
        assert_eq!(app.user(&user_id(7)).await["first_name"], "Ada");
    }

    async fn send_names_another_user_on_request(engine) {
        let app = TestApp::start(engine).await;
        let program = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET);
        let sent = program.run(&["send", "user.created", "--url", &app.url, "--user", "user_other"]);
        assert_eq!(sent.status, Some(0), "{sent:?}");
        assert_eq!(app.user("user_other").await["first_name"], "Rosalind");
    }
}

#[test]
fn send_without_a_listening_service_fails_and_says_so() {
    let program = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET);
    let sent = program.run(&["send", "user.created", "--url", "http://127.0.0.1:1/webhooks/clerk"]);
    assert_eq!(sent.status, Some(1));
    assert!(sent.stderr.contains("is the service running there?"), "{sent:?}");
}
