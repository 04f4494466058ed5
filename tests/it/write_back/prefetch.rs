//! After a backfill many users are due: they are fetched together, and those that agree cost
//! no call.

use crate::support::{Engine, TestApp, TestDatabase, TestEmulator};
use serde_json::json;

/// More than are looked at in one call.
const USERS: usize = 120;

/// A table filled without write-back, whose snapshots are an hour old by now; then a reconcile,
/// with write-back on, that makes every user due.
async fn backfilled(engine: Engine) -> (TestDatabase, TestEmulator, Vec<String>) {
    let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
    let ids = emulator.sign_up_many(USERS);
    let builder = || TestApp::builder(&database).emulator(&emulator);
    let run = async |arguments: &[&'static str]| builder().program().run_aside(arguments).await;
    let silent = run(&["backfill", "--write-back", "off"]).await;
    assert_eq!(silent.status, Some(0), "{silent:?}");
    assert_eq!(database.count("write_backs"), 0);
    database.execute(
        "UPDATE users SET version_seen_at = version_seen_at - 3600000, \
         last_fetched_at = '2026-01-01T00:00:00.000Z'",
    );
    let noting = run(&["reconcile", "--write-back", "on", "--json"]).await;
    assert_eq!(noting.status, Some(0), "{noting:?}");
    assert_eq!(database.count("write_backs WHERE state = 'due'"), USERS);
    (database, emulator, ids)
}

both_engines! {
    async fn users_of_a_backfill_are_looked_at_together_and_told_one_by_one(engine) {
        let (database, emulator, ids) = backfilled(engine).await;
        let before = emulator.counts();
        let app = TestApp::builder(database).emulator(&emulator).start().await;
        app.quiet().await;
        let after = app.emulator.counts();
        let made = |kind: &str| after.requests_of(kind) - before.requests_of(kind);
        assert_eq!(made("metadata_patch"), u64::try_from(USERS).unwrap());
        assert!(made("list") <= 4, "{} lists", made("list"));
        assert_eq!(made("get"), 0, "nobody was looked at alone");
        for id in &ids {
            assert_eq!(app.metadata(id)["dbId"], app.user(id).await["id"]);
        }
    }

    async fn users_who_turn_out_to_be_right_cost_no_call_of_their_own(engine) {
        let (database, emulator, ids) = backfilled(engine).await;
        let rows = database.query("SELECT external_id || ' ' || id AS value FROM users");
        let right = &ids[..USERS / 2];
        for row in rows.iter().flatten() {
            let (external_id, id) = row.split_once(' ').unwrap();
            if right.iter().any(|one| one == external_id) {
                emulator.merge_public_metadata(external_id, json!({"dbId": id, "role": "user"}));
            }
        }
        let before = emulator.counts();
        let app = TestApp::builder(database).emulator(&emulator).start().await;
        app.quiet().await;
        let after = app.emulator.counts();
        let made = |kind: &str| after.requests_of(kind) - before.requests_of(kind);
        assert_eq!((made("metadata_patch"), made("get")), (u64::try_from(USERS - right.len()).unwrap(), 0));
        assert_eq!(app.outbox(), [""; 0]);
    }

    async fn a_second_reconcile_notes_nobody_who_is_told(engine) {
        let (database, emulator, _) = backfilled(engine).await;
        let app = TestApp::builder(database).emulator(&emulator).start().await;
        app.quiet().await;
        let told = app.emulator.counts().requests_of("metadata_patch");
        app.run_job(json!({"kind": "reconcile"})).await;
        assert_eq!(app.outbox(), [""; 0]);
        assert_eq!(app.emulator.counts().requests_of("metadata_patch"), told);
    }
}
