//! `usersync dev` and `usersync send`: two commands try the service out, and touch nothing real.

use crate::support::{
    Answer, Program, Running, SECRET, TestApp, TestClient, shell, until, until_true, user, user_id,
};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const SAMPLE_USER: &str = "user_33sR3n1FRYDsxjSPI9aGB8hbGo9";
const ENV_FILE: &str = "data/dev/env";

/// `usersync dev` on a free port, once it is ready.
struct Dev {
    program: Program,
    running: Running,
    origin: String,
}

impl Dev {
    fn start(program: Program) -> Self {
        let mut running = program.start(&["dev", "--port", "0"]);
        let line = running.line_with("usersync dev listens on http://127.0.0.1:");
        let (_, rest) = line.split_once("listens on ").unwrap();
        let origin = rest.split(". In").next().unwrap().to_owned();
        running.line_with("\"ready\"");
        Self { program, running, origin }
    }

    /// Likewise, and the lines that it prints to be copied.
    fn start_and_read(program: Program) -> (Self, [String; 4]) {
        let mut dev = Self::start(program);
        dev.running.line_with("Ctrl-C stops");
        let lines = dev.running.lines_to_copy();
        (dev, lines.try_into().unwrap_or_else(|lines| panic!("{lines:?}")))
    }

    /// Stops it; what it keeps is for the next start.
    fn stop(self) -> Program {
        assert_eq!(self.running.terminate().0, Some(0));
        self.program
    }

    fn send(&self, event: &str) -> String {
        let url = format!("{}/webhooks/clerk", self.origin);
        let sent = self.program.run(&["send", event, "--env-file", ENV_FILE, "--url", &url]);
        assert_eq!(sent.status, Some(0), "{sent:?}");
        sent.stdout
    }

    fn variable(&self, name: &str) -> String {
        let text = fs::read_to_string(self.program.directory().join(ENV_FILE)).unwrap();
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap().to_owned()
    }

    fn shell(&self, line: &str) -> Value {
        json(&shell(&self.program, line))
    }

    async fn get(&self, path: &str) -> Answer {
        let token = self.variable("USERSYNC_ADMIN_TOKEN");
        TestClient::of(self.origin.clone()).get_as(&token, path).await
    }

    async fn sample_user(&self) -> Answer {
        self.get(&format!("/v1/users/{SAMPLE_USER}")).await
    }

    async fn until_written_back(&self) {
        until_true("everything is written back", async || {
            self.get("/v1/write-backs?state=due").await.body["data"] == Value::Array(Vec::new())
        })
        .await;
    }

    /// The first user that the printed line lists, once there is one.
    async fn first_user(&self, line: &str) -> Value {
        until("the event is applied", async || self.shell(line)["data"].get(0).cloned()).await
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn an_event_that_is_sent_to_dev_is_applied_and_shown() {
    let dev = Dev::start(Program::new());
    assert!(dev.send("user.created").starts_with("applied"));
    let created = dev.sample_user().await;
    assert_eq!(created.body["first_name"], "Rosalind");
    dev.until_written_back().await;
    let row = dev.sample_user().await.body;
    assert_eq!(row["public_metadata"]["dbId"], row["id"], "the emulator knows the user too");
    assert!(dev.send("user.updated").starts_with("applied"));
    assert_eq!(dev.sample_user().await.body["last_name"], "Vane");
    dev.until_written_back().await;
    assert_eq!(dev.sample_user().await.body["last_name"], "Vane");
    assert!(dev.send("user.deleted").starts_with("applied"));
    assert_eq!(dev.sample_user().await.body["status"], "deleted");
    assert!(dev.send("user.created").starts_with("tombstoned"));
    dev.stop();
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}"))
}

#[tokio::test]
async fn the_lines_that_dev_prints_work_as_they_are() {
    let (dev, [sign_up, row, who_am_i, send]) = Dev::start_and_read(Program::new());
    let user = dev.shell(&sign_up);
    assert!(user["id"].as_str().unwrap().starts_with("user_"), "{user}");
    let me = dev.shell(&who_am_i);
    assert_eq!(
        (&me["external_id"], &me["user"]["email"]),
        (&user["id"], &"ada@example.org".into())
    );
    let rows = dev.shell(&row);
    assert_eq!(rows["data"][0]["external_id"], user["id"], "{rows}");
    assert!(shell(&dev.program, &send).starts_with("applied"));
    for secret in ["CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_SECRET_KEY", "USERSYNC_ADMIN_TOKEN"] {
        assert!(!dev.running.said.contains(&dev.variable(secret)), "{}", dev.running.said);
    }
    dev.stop();
}

#[tokio::test]
async fn users_and_keys_of_the_emulator_survive_a_restart() {
    let (dev, [sign_up, row, ..]) = Dev::start_and_read(Program::new());
    let user = dev.shell(&sign_up);
    let before = dev.first_user(&row).await;
    let key = dev.variable("CLERK_SECRET_KEY");
    assert!(key.starts_with("sk_test_usersync_emulator_"), "{key}");
    let (dev, [sign_up, row, who_am_i, _]) = Dev::start_and_read(dev.stop());
    assert_eq!(dev.variable("CLERK_SECRET_KEY"), key);
    let again = shell(&dev.program, &sign_up);
    assert!(again.contains("form_identifier_exists"), "{again}");
    assert_eq!(dev.shell(&who_am_i)["external_id"], user["id"]);
    assert_eq!(dev.first_user(&row).await["id"], before["id"]);
    dev.stop();
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
    let (dev, [sign_up, row, ..]) = Dev::start_and_read(program);
    let file = dev.program.directory().join(ENV_FILE);
    let now = fs::read_to_string(&file).unwrap();
    assert!(now.starts_with(&old), "{now}");
    assert_eq!(mode(&file), 0o600);
    for name in ["CLERK_SECRET_KEY", "CLERK_API_URL", "CLERK_PUBLISHABLE_KEY", "DATABASE_URL"] {
        assert_ne!(dev.variable(name), "", "{name}");
    }
    dev.shell(&sign_up);
    dev.first_user(&row).await;
    dev.stop();
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
    let dev = Dev::start(Program::new());
    dev.send("user.created");
    let data = dev.program.directory().join("data/dev");
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    for name in ["env", "emulator.json", "usersync.db"] {
        assert!(files.contains(&data.join(name)), "{files:?}");
    }
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    dev.stop();
}

#[tokio::test]
async fn dev_looks_at_nothing_real_in_the_environment() {
    let program = Program::new()
        .with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET)
        .with("CLERK_INSTANCE_ID", "ins_real")
        .with("DATABASE_URL", "postgres://nobody@127.0.0.1:1/real")
        .with("USERSYNC_BIND", "0.0.0.0:0");
    let dev = Dev::start(program);
    assert!(dev.send("user.created").starts_with("applied"));
    assert!(dev.program.directory().join("data/dev/usersync.db").exists());
    assert_ne!(dev.variable("CLERK_WEBHOOK_SIGNING_SECRET"), SECRET);
    let url = format!("{}/webhooks/clerk", dev.origin);
    let real = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET);
    let refused = real.run(&["send", "user.created", "--url", &url]);
    assert!(refused.stderr.contains("bad_signature"), "{refused:?}");
    dev.stop();
}

#[tokio::test]
async fn dev_keeps_its_secrets_and_users_from_one_start_to_the_next() {
    let dev = Dev::start(Program::new());
    dev.send("user.created");
    let secret = dev.variable("CLERK_WEBHOOK_SIGNING_SECRET");
    let dev = Dev::start(dev.stop());
    assert_eq!(dev.variable("CLERK_WEBHOOK_SIGNING_SECRET"), secret);
    assert_eq!(dev.sample_user().await.status, 200);
    dev.stop();
}

both_engines! {
    async fn send_with_a_wrong_secret_fails_and_says_so(app = TestApp::start) {
        let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let program = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", other);
        let sent = program.run(&["send", "user.created", "--url", &app.url]);
        assert_eq!(sent.status, Some(1), "{sent:?}");
        assert!(sent.stderr.contains("bad_signature"), "{sent:?}");
        assert!(!sent.stderr.contains(other), "{sent:?}");
    }

    async fn send_posts_the_bytes_of_a_file_as_they_are(app = TestApp::start) {
        let program = Program::new().with("CLERK_WEBHOOK_SIGNING_SECRET", SECRET);
        let event = serde_json::to_string_pretty(&user(&user_id(7), 1_000)).unwrap();
        fs::write(program.directory().join("event.json"), event).unwrap();
        let sent = program.run(&["send", "event.json", "--url", &app.url, "--json", "--message-id", "msg_7"]);
        assert_eq!(sent.status, Some(0), "{sent:?}");
        let answer: serde_json::Value = serde_json::from_str(&sent.stdout).unwrap();
        assert_eq!((&answer["outcome"], &answer["event_id"]), (&"applied".into(), &"msg_7".into()));
        assert_eq!(app.user(&user_id(7)).await["first_name"], "Ada");
    }

    async fn send_names_another_user_on_request(app = TestApp::start) {
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
