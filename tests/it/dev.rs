//! `usersync dev` and `usersync send`: to try the service out takes two commands, and touches
//! nothing real.

use crate::both_engines;
use crate::support::{Answer, Program, Running, SECRET, TestApp, user, user_id};
use std::fs;
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

async fn sample_user(program: &Program, origin: &str) -> Answer {
    let token = variable(program, "USERSYNC_ADMIN_TOKEN");
    let url = format!("{origin}/v1/users/{SAMPLE_USER}");
    let request = reqwest::Client::new().get(url).bearer_auth(token);
    Answer::of(request.send().await.unwrap()).await
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
    assert!(send(&program, "user.updated", &origin).starts_with("applied"));
    assert_eq!(sample_user(&program, &origin).await.body["last_name"], "Vane");
    assert!(send(&program, "user.deleted", &origin).starts_with("applied"));
    assert_eq!(sample_user(&program, &origin).await.body["status"], "deleted");
    assert!(send(&program, "user.created", &origin).starts_with("tombstoned"));
    assert_eq!(running.terminate().0, Some(0));
}

#[tokio::test]
async fn the_lines_that_dev_prints_work_as_they_are() {
    let program = Program::new();
    let (mut running, origin) = start(&program);
    running.line_with("Ctrl-C stops");
    let said = running.said.clone();
    assert!(
        said.contains(&format!("--env-file {ENV_FILE} --url {origin}/webhooks/clerk")),
        "{said}"
    );
    assert!(said.contains(&format!("{origin}/v1/users/{SAMPLE_USER}")), "{said}");
    assert!(!said.contains(&variable(&program, "CLERK_WEBHOOK_SIGNING_SECRET")), "{said}");
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
    assert!(files.len() >= 2, "{files:?}");
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
        app.stop().await;
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
        app.stop().await;
    }

    async fn send_names_another_user_on_request(engine) {
        let app = TestApp::start(engine).await;
        let program = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET);
        let sent = program.run(&["send", "user.created", "--url", &app.url, "--user", "user_other"]);
        assert_eq!(sent.status, Some(0), "{sent:?}");
        assert_eq!(app.user("user_other").await["first_name"], "Rosalind");
        app.stop().await;
    }
}

#[test]
fn send_where_nobody_listens_fails_and_says_so() {
    let program = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET);
    let sent = program.run(&["send", "user.created", "--url", "http://127.0.0.1:1/webhooks/clerk"]);
    assert_eq!(sent.status, Some(1));
    assert!(sent.stderr.contains("is the service running there?"), "{sent:?}");
}
