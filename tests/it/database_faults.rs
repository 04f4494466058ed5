//! What is wrong with the database while the service runs: each route answers in time and as the table
//! says, nothing acknowledged is lost, and all is well again, without a restart, once the cause is gone.

use crate::support::{
    ADMIN_TOKEN, Answer, AppProcess, Cluster, TestApp, TestDatabase, TestEmulator, message_id,
    until_true, user, user_id,
};
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The provider gives a delivery 15 s; nobody else should wait longer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(11);

/// Of probes and metrics, which have short limits of their own.
const PROBED_WITHIN: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// `LOCK TABLE users`, as `VACUUM FULL` takes it.
    TableLocked,
    /// The server takes connections, and answers nothing.
    ServerHangs,
    ReadOnly,
    SchemaGone,
    RightsRevoked,
}

use Fault::{ReadOnly, RightsRevoked, SchemaGone, ServerHangs, TableLocked};

/// A route, and its status under each fault in the order of [`FAULTS`].
type Expectation = (&'static str, &'static str, [u16; 5]);

const FAULTS: [Fault; 5] = [TableLocked, ServerHangs, ReadOnly, SchemaGone, RightsRevoked];

const TABLE: [Expectation; 11] = [
    ("POST", "webhook", [503; 5]),
    ("GET", "/readyz", [503; 5]),
    ("GET", "/healthz", [200; 5]),
    ("GET", "/metrics", [200; 5]),
    ("GET", "/v1/users", [503, 503, 200, 503, 503]),
    ("GET", "/v1/users/user_1", [503, 503, 404, 503, 503]),
    ("PATCH", "/v1/users/user_1", [503, 503, 404, 503, 503]),
    ("GET", "/v1/me", [503, 503, 200, 503, 503]),
    ("GET", "/v1/jobs", [200, 503, 200, 503, 200]),
    ("POST", "/v1/jobs", [202, 503, 503, 503, 202]),
    ("GET", "/v1/write-backs", [200, 503, 200, 503, 200]),
];

struct Rig {
    cluster: Cluster,
    database: TestDatabase,
    _emulator: TestEmulator,
    service: AppProcess,
    token: String,
}

impl Rig {
    /// A service that connects as a role that is no superuser, and has one user.
    async fn start() -> Self {
        let cluster = Cluster::start();
        let owner = TestDatabase::on_server(&cluster.url);
        owner.execute("CREATE ROLE service LOGIN");
        owner.execute(&format!("CREATE SCHEMA {} AUTHORIZATION service", owner.schema));
        let emulator = TestEmulator::start();
        let url = cluster.url.replace("usersync@", "service@");
        let builder = TestApp::builder(&owner).emulator(&emulator).variables(&[
            ("DATABASE_URL", &url),
            ("USERSYNC_WATCH_INTERVAL", "off"),
            ("USERSYNC_RECONCILE_SCHEDULE", "off"),
        ]);
        let service = builder.start_process().await;
        emulator.deliver_to(Some(service.url.clone()));
        let id = emulator.sign_up_many(1).remove(0);
        emulator.wait_until_idle().await;
        emulator.deliver_to(None);
        owner.until_none("write_backs").await;
        let token = emulator.session_token(&id);
        assert_eq!(service.get_as(&token, "/v1/me").await.status, 200);
        Self { cluster, database: owner, _emulator: emulator, service, token }
    }

    async fn ask(&self, method: &'static str, route: &'static str) -> (Answer, Duration) {
        let started = Instant::now();
        let service = &self.service;
        let answer = match (method, route) {
            ("POST", "webhook") => service.send(&user(&user_id(9), 1_000)).await,
            ("GET", "/metrics" | "/healthz" | "/readyz") => {
                let response = service.request(Method::GET, route).send().await.unwrap();
                Answer::of(response).await
            }
            ("GET", "/v1/me") => service.get_as(&self.token, route).await,
            ("GET", _) => service.get_as(ADMIN_TOKEN, route).await,
            ("PATCH", _) => service.ask(Method::PATCH, route, Some(json!({"role": "admin"}))).await,
            _ => service.ask(Method::POST, route, Some(json!({"kind": "drift"}))).await,
        };
        (answer, started.elapsed())
    }
}

impl Fault {
    /// Brings it about; what is returned ends it.
    async fn begin(self, rig: &Rig) -> Box<dyn FnOnce(&Rig)> {
        let (database, schema) = (&rig.database, rig.database.schema.clone());
        match self {
            TableLocked => {
                let mut lock = database.connect();
                lock.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").unwrap();
                Box::new(move |_| drop(lock))
            }
            ServerHangs => {
                rig.cluster.suspend();
                Box::new(|rig| rig.cluster.resume())
            }
            ReadOnly => {
                set_read_only(database, "on");
                let shown = "SELECT current_setting('default_transaction_read_only') AS value";
                until_true("the setting is read", async || database.texts(shown) == ["on"]).await;
                Box::new(|rig| set_read_only(&rig.database, "off"))
            }
            SchemaGone => {
                database.execute(&format!("ALTER SCHEMA {schema} RENAME TO gone"));
                Box::new(move |rig| {
                    rig.database.execute(&format!("ALTER SCHEMA gone RENAME TO {schema}"));
                })
            }
            RightsRevoked => {
                database.execute("REVOKE ALL ON users FROM service");
                Box::new(|rig| rig.database.execute("GRANT ALL ON users TO service"))
            }
        }
    }
}

fn set_read_only(database: &TestDatabase, value: &str) {
    let mut session = database.connect();
    let set = format!("ALTER SYSTEM SET default_transaction_read_only TO {value}");
    for statement in ["SET default_transaction_read_only TO off", &set, "SELECT pg_reload_conf()"] {
        session.batch_execute(statement).unwrap();
    }
}

#[tokio::test]
async fn each_route_answers_in_time_under_each_fault_and_all_is_well_afterwards() {
    for (place, fault) in FAULTS.into_iter().enumerate() {
        let rig = Arc::new(Rig::start().await);
        let end = fault.begin(&rig).await;
        // Twice as many at once as there are connections.
        let mut asking = JoinSet::new();
        for _ in 0..2 {
            for (method, route, expected) in TABLE {
                let rig = Arc::clone(&rig);
                asking.spawn(async move {
                    let (answer, elapsed) = rig.ask(method, route).await;
                    let limit = if route.starts_with("/v1") || route == "webhook" {
                        ANSWERED_WITHIN
                    } else {
                        PROBED_WITHIN
                    };
                    assert!(elapsed < limit, "{fault:?}: {method} {route} after {elapsed:?}");
                    assert!(
                        expected[place] == answer.status.as_u16()
                            || (expected[place] == 202 && answer.status == 409),
                        "{fault:?}: {method} {route}: {answer:?}"
                    );
                    if answer.status == 503 {
                        assert!(answer.headers.contains_key("retry-after"), "{fault:?}: {route}");
                    }
                });
            }
        }
        while let Some(done) = asking.join_next().await {
            done.unwrap();
        }
        end(&rig);
        until_true("deliveries are accepted again", async || {
            rig.service.send_as(&message_id(), &user(&user_id(9), 1_000)).await.status == 200
        })
        .await;
        until_true("it is ready again", async || rig.service.get("/readyz").await.status == 200)
            .await;
        for (method, route, _) in TABLE.iter().filter(|(method, ..)| *method == "GET") {
            let (answer, _) = rig.ask(method, route).await;
            assert!([200, 404].contains(&answer.status.as_u16()), "{fault:?}: {route}: {answer:?}");
        }
        assert_eq!(rig.database.count("quarantine"), 0, "{fault:?}");
    }
}
