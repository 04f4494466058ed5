//! A service in the midst of its work, and what is left of that work after a fault.

use super::disk::Disk;
use super::fault::Fault;
use crate::support::{
    Answer, AppProcess, Blocked, Cluster, Engine, Program, Proxy, Running, TestApp, TestDatabase,
    TestEmulator, event_of, message_id, until_true,
};
use serde_json::json;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Users at the provider of whom no event came: as many deliveries and jobs may bring them in.
const UNKNOWN: usize = 12;

pub(super) struct Rig {
    // Dropped in this order: the service before what it stands on.
    pub(super) service: AppProcess,
    pub(super) database: TestDatabase,
    pub(super) disk: Option<Disk>,
    cluster: Option<Cluster>,
    emulator: TestEmulator,
    api: Proxy,
    /// A user who has a row.
    pub(super) known: String,
    unknown: Vec<String>,
    next: AtomicUsize,
    /// Message ids that were answered 2xx.
    acknowledged: Mutex<Vec<String>>,
    /// A job that has ended.
    pub(super) old_job: String,
}

/// Work that has begun before the fault.
pub(super) struct Work {
    jobs: Vec<String>,
    _program: Program,
    import: Running,
    feed: std::fs::File,
}

impl Rig {
    /// A service that connects, on PostgreSQL, as a role that is no superuser.
    pub(super) async fn start(fault: Fault) -> Self {
        let on_server = fault.engine() == Engine::Postgres;
        let cluster = on_server.then(Cluster::start);
        let database = match &cluster {
            Some(cluster) => TestDatabase::on_server(&cluster.url),
            None => TestDatabase::new(Engine::Sqlite),
        };
        let mut disk = (fault == Fault::FileDiskFull).then(|| Disk::under(&database));
        let emulator = TestEmulator::start();
        let api = Proxy::to(&emulator);
        let mut builder = TestApp::builder(&database).emulator(&emulator).behind(&api);
        builder = builder.variables(&[("USERSYNC_WATCH_INTERVAL", "1s")]);
        if on_server {
            database.execute("CREATE ROLE service LOGIN");
            let schema = &database.schema;
            database.execute(&format!("CREATE SCHEMA {schema} AUTHORIZATION service"));
            let url = database.url().replace("usersync@", "service@");
            builder = builder.variables(&[("DATABASE_URL", &url)]);
        }
        let service = builder.start_process().await;
        emulator.deliver_to(Some(service.url.clone()));
        let known = emulator.sign_up("Known");
        emulator.wait_until_idle().await;
        emulator.deliver_to(None);
        database.until_none("write_backs").await;
        assert_eq!(service.get_as(&emulator.session_token(&known), "/v1/me").await.status, 200);
        let old_job = service.finish_job(json!({"kind": "drift"})).await["id"].clone();
        if let (Fault::ServerDiskFull, Some(cluster)) = (fault, &cluster) {
            disk = Some(Disk::below_users(cluster, &database));
        }
        // From here on nobody but an event brings in a user.
        api.block(Blocked::Pages);
        Self {
            service,
            database,
            disk,
            cluster,
            api,
            known,
            unknown: emulator.sign_up_many(UNKNOWN),
            emulator,
            next: AtomicUsize::new(0),
            acknowledged: Mutex::default(),
            old_job: old_job.as_str().unwrap().to_owned(),
        }
    }

    pub(super) fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().unwrap()
    }

    pub(super) fn token(&self) -> String {
        self.emulator.session_token(&self.known)
    }

    /// Two jobs that wait for their first page, and an import that waits for its file.
    pub(super) async fn begin_work(&self) -> Work {
        let mut jobs = Vec::new();
        for kind in ["backfill", "reconcile"] {
            jobs.push(self.service.start_job(json!({"kind": kind})).await);
        }
        for job in &jobs {
            self.service.job_in_state(job, "running").await;
        }
        self.api.until_held(2).await;
        let program = Program::on(&self.database);
        let path = program.directory().join("users");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let import = program.start(&["import", "users"]);
        // It opens the file once it has prepared the database.
        let open = move || std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let feed = tokio::task::spawn_blocking(open).await.unwrap();
        Work { jobs, _program: program, import, feed }
    }

    pub(super) fn let_work_go_on(&self, work: &mut Work) {
        self.api.block(Blocked::Nothing);
        // Of users who are known to the provider, so that no job empties their rows.
        for id in &self.unknown {
            writeln!(work.feed, "{}", self.emulator.user(id).unwrap()).unwrap();
        }
        work.feed = std::fs::File::open("/dev/null").unwrap();
    }

    /// A user whose event the provider sends again until it is taken; then its id is written back.
    pub(super) fn sign_up_during_it(&self) -> String {
        self.emulator.deliver_to(Some(self.service.url.clone()));
        self.emulator.sign_up("Newcomer")
    }

    /// An event of a user without a row, as long as there are any.
    pub(super) async fn deliver(&self) -> Answer {
        let url = self.service.url.clone();
        self.deliver_to(&url).await
    }

    pub(super) async fn deliver_to(&self, url: &str) -> Answer {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let user = self.emulator.user(&self.unknown[number % UNKNOWN]).unwrap();
        let id = message_id();
        let mut client = self.service.client.clone();
        client.url = url.to_owned();
        let answer = client.send_as(&id, &event_of(&user)).await;
        if answer.status.is_success() {
            self.acknowledged.lock().unwrap().push(id);
        }
        answer
    }

    pub(super) async fn assert_work_done(&self, work: Work) {
        for job in &work.jobs {
            self.service.job_in_state(job, "succeeded").await;
        }
        let bad = "jobs WHERE state NOT IN ('succeeded', 'queued', 'running')";
        assert_eq!(self.database.count(bad), 0);
        let import = tokio::task::spawn_blocking(|| work.import.ended()).await.unwrap();
        assert_eq!(import.0, Some(0), "{}", import.1);
    }

    pub(super) async fn assert_nothing_lost(&self, newcomer: &str) {
        self.emulator.wait_until_idle().await;
        self.database.until_none("write_backs").await;
        for message in self.acknowledged.lock().unwrap().iter() {
            let known = format!("webhook_events WHERE message_id = '{message}'");
            assert_eq!(self.database.count(&known), 1, "{message}");
        }
        for id in self.emulator.issued_ids() {
            let row = format!("users WHERE external_id = '{id}' AND status = 'active'");
            until_true("every user has a row", async || self.database.count(&row) == 1).await;
        }
        let id = format!("SELECT id AS value FROM users WHERE external_id = '{newcomer}'");
        let written = self.emulator.user(newcomer).unwrap()["public_metadata"]["dbId"].clone();
        assert_eq!(self.database.texts(&id), [written.as_str().unwrap()]);
        assert_eq!(self.database.count("quarantine"), 0);
    }
}
