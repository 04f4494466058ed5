//! After a backfill many wait to be told: they are looked at together, and whoever is right costs
//! nothing.

use crate::both_engines;
use crate::support::{ADMIN_TOKEN, Emulated, Program, emulator, provider_variables};
use crate::support::{Engine, TestDatabase};
use clerk_emulator::Emulator;
use serde_json::json;
use std::sync::Arc;

/// More than are looked at in one call.
const USERS: usize = 120;

/// A table that was filled while nothing was written back, whose snapshots are an hour old by now;
/// then a reconcile, with write-back on, notes everybody.
async fn backfilled(engine: Engine) -> (TestDatabase, Emulator, Vec<String>) {
    let (database, emulator) = (TestDatabase::new(engine), emulator());
    let ids: Vec<String> = (0..USERS)
        .map(|number| emulator.create_user(json!({"first_name": format!("User{number}")})))
        .map(|user| user["id"].as_str().unwrap().to_owned())
        .collect();
    let mut program = Program::on(&database);
    for (name, value) in provider_variables(&emulator) {
        program = program.with(&name, &value);
    }
    // The emulator answers on this thread.
    let program = Arc::new(program);
    let run = async |arguments: &'static [&'static str]| {
        let program = Arc::clone(&program);
        tokio::task::spawn_blocking(move || program.run(arguments)).await.unwrap()
    };
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
        let both = Emulated::start_on(database, emulator, &[]).await;
        both.quiet().await;
        let after = both.emulator.counts();
        let made = |kind: &str| after.requests_of(kind) - before.requests_of(kind);
        assert_eq!(made("metadata_patch"), u64::try_from(USERS).unwrap());
        assert!(made("list") <= 4, "{} lists", made("list"));
        assert_eq!(made("get"), 0, "nobody was looked at alone");
        for id in &ids {
            assert_eq!(both.metadata(id)["dbId"], both.user(id).await["id"]);
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
        let both = Emulated::start_on(database, emulator, &[]).await;
        both.quiet().await;
        let after = both.emulator.counts();
        let made = |kind: &str| after.requests_of(kind) - before.requests_of(kind);
        assert_eq!((made("metadata_patch"), made("get")), (u64::try_from(USERS - right.len()).unwrap(), 0));
        assert_eq!(both.outbox(), [""; 0]);
    }

    async fn a_second_reconcile_notes_nobody_who_is_told(engine) {
        let (database, emulator, _) = backfilled(engine).await;
        let both = Emulated::start_on(database, emulator, &[]).await;
        both.quiet().await;
        let told = both.emulator.counts().requests_of("metadata_patch");
        let job = both.ask(reqwest::Method::POST, "/v1/jobs", ADMIN_TOKEN, Some(json!({"kind": "reconcile"}))).await;
        assert_eq!(job.status, 202, "{job:?}");
        crate::support::until("the job has ended", std::time::Duration::from_secs(30), async || {
            (both.database.count("jobs WHERE finished_at IS NULL") == 0).then_some(())
        })
        .await;
        assert_eq!(both.outbox(), [""; 0]);
        assert_eq!(both.emulator.counts().requests_of("metadata_patch"), told);
    }
}
