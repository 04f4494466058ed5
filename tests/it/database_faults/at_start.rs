//! What is wrong with the installation when the service starts: what will not pass by itself ends it,
//! with a sentence that says what to do; what may pass is waited for, and said.

use crate::support::{AppProcess, Cluster, Program, TestApp, TestDatabase};
use std::fs::{Permissions, create_dir, set_permissions, write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Another user than root, whom no permission binds.
const NOBODY: u32 = 65_534;

/// A place for a data directory that any user may enter, and the program, which root's target
/// directory may hide.
struct Volume {
    own: TempDir,
    is_root: bool,
}

impl Volume {
    fn new() -> Self {
        let own = tempfile::tempdir().unwrap();
        set_permissions(own.path(), Permissions::from_mode(0o755)).unwrap();
        let is_root = std::fs::metadata(own.path()).unwrap().uid() == 0;
        create_dir(own.path().join("data")).unwrap();
        if is_root {
            std::fs::copy(env!("CARGO_BIN_EXE_usersync"), own.path().join("usersync")).unwrap();
        }
        Self { own, is_root }
    }

    fn data(&self) -> std::path::PathBuf {
        self.own.path().join("data")
    }

    /// Leaves a path to another owner; where nobody may give one away, takes the right to write.
    fn deny(&self, path: &Path) {
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        let mode = if self.is_root { mode | 0o200 } else { mode };
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn allow(&self, path: &Path) {
        if self.is_root {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    /// Starts the service, and returns what it said when it ended.
    fn refusal(&self) -> String {
        let program = self.own.path().join("usersync");
        let program = if self.is_root {
            program.as_path()
        } else {
            Path::new(env!("CARGO_BIN_EXE_usersync"))
        };
        let mut command = Command::new("timeout");
        command.arg("30").arg(program).arg("serve").env_clear();
        command
            .env("DATABASE_URL", format!("sqlite://{}", self.data().join("usersync.db").display()));
        command.env("USERSYNC_BIND", "127.0.0.1:0").current_dir(self.own.path());
        command.env("CLERK_WEBHOOK_SIGNING_SECRET", crate::support::SECRET);
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let uid =
            if self.is_root { NOBODY } else { std::fs::metadata(self.own.path()).unwrap().uid() };
        for words in [
            format!("uid {uid}"),
            self.data().display().to_string(),
            "chown".into(),
            "fsGroup".into(),
        ] {
            assert!(said.contains(&words), "no {words} in {said}");
        }
        said
    }
}

#[test]
fn an_empty_directory_of_another_user_is_refused() {
    let volume = Volume::new();
    volume.deny(&volume.data());
    volume.refusal();
}

#[test]
fn a_file_in_a_directory_of_another_user_is_refused() {
    let volume = Volume::new();
    let file = volume.data().join("usersync.db");
    write(&file, "").unwrap();
    volume.allow(&file);
    volume.deny(&volume.data());
    assert!(volume.refusal().contains("needs a log beside it"));
}

#[test]
fn a_file_or_log_of_another_user_is_refused() {
    for name in ["usersync.db", "usersync.db-wal", "usersync.db-shm"] {
        let volume = Volume::new();
        volume.allow(&volume.data());
        for file in ["usersync.db", name] {
            write(volume.data().join(file), "").unwrap();
            volume.allow(&volume.data().join(file));
        }
        let denied = volume.data().join(name);
        if volume.is_root {
            chown(&denied, Some(0), Some(0)).unwrap();
        }
        volume.deny(&denied);
        assert!(volume.refusal().contains(&format!("{name} cannot be written")));
    }
}

/// A database whose tables the superuser owns, and a role that may do what `docs/sql/roles.sql` gives
/// the service.
struct Roles {
    _cluster: Cluster,
    database: TestDatabase,
    url: String,
}

impl Roles {
    fn new() -> Self {
        let cluster = Cluster::start();
        let database = TestDatabase::on_server(&cluster.url);
        database.execute("CREATE ROLE service LOGIN");
        let url = cluster.url.replace("usersync@", "service@");
        Self { _cluster: cluster, database, url }
    }

    fn migrate_and_grant(&self) {
        assert_eq!(Program::on(&self.database).run(&["migrate"]).status, Some(0));
        let schema = &self.database.schema;
        self.database.execute(&format!(
            "GRANT USAGE ON SCHEMA {schema} TO service; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO service; \
             REVOKE UPDATE, DELETE ON __diesel_schema_migrations FROM service"
        ));
    }

    fn launch(&self, mode: &str) -> AppProcess {
        let builder = TestApp::builder(&self.database);
        builder
            .variables(&[("DATABASE_URL", &self.url), ("USERSYNC_MIGRATE", mode)])
            .launch_process()
    }

    /// What a service says that ends in either mode.
    async fn refusals(&self) -> [String; 2] {
        let mut said = [String::new(), String::new()];
        for (said, mode) in said.iter_mut().zip(["auto", "check"]) {
            let mut service = self.launch(mode);
            assert_eq!(service.ended().await.code(), Some(1), "{}", service.log());
            *said = service.log();
        }
        said
    }
}

#[tokio::test]
async fn rights_that_are_missing_are_named_with_their_grant() {
    let roles = Roles::new();
    let (database, schema) = (&roles.database, &roles.database.schema);
    let absent = roles.refusals().await;
    assert!(absent[0].contains("permission denied for database"), "{}", absent[0]);
    assert!(
        absent[1].contains("is not there") && absent[1].contains("usersync migrate"),
        "{}",
        absent[1]
    );
    roles.migrate_and_grant();

    database.execute(&format!("REVOKE USAGE ON SCHEMA {schema} FROM service"));
    for said in roles.refusals().await {
        assert!(said.contains("GRANT USAGE ON SCHEMA"), "{said}");
    }
    database.execute(&format!("GRANT USAGE ON SCHEMA {schema} TO service"));

    database.execute("REVOKE SELECT ON __diesel_schema_migrations FROM service");
    for said in roles.refusals().await {
        let grant = format!("GRANT SELECT ON {schema}.__diesel_schema_migrations TO service");
        assert!(said.contains(&grant), "{said}");
    }
    database.execute("GRANT SELECT ON __diesel_schema_migrations TO service");

    for table in database.tables() {
        database.execute(&format!("REVOKE DELETE ON {table} FROM service"));
    }
    for said in roles.refusals().await {
        for table in database.tables() {
            assert!(
                said.contains(&format!("GRANT DELETE ON {schema}.{table} TO service")),
                "{table}: {said}"
            );
        }
    }
    roles.migrate_and_grant();
    roles.launch("check").until_ready().await;
}

#[tokio::test]
async fn a_server_that_is_read_only_is_waited_for_and_the_log_says_so() {
    let roles = Roles::new();
    roles.migrate_and_grant();
    roles.database.execute("ALTER ROLE service SET default_transaction_read_only TO on");
    let mut service = roles.launch("auto");
    service.logged("default_transaction_read_only is on").await;
    assert_eq!(service.get("/readyz").await.status, 503);
    roles.database.execute("ALTER ROLE service RESET default_transaction_read_only");
    service.until_ready().await;
}
