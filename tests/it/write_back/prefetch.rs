//! After a backfill many users are due: they are fetched together, and no more requests are made than
//! allowed.

use crate::support::{Engine, Proxy, TestApp, TestDatabase, TestEmulator, configuration, event_of};
use serde_json::json;
use std::time::{Duration, Instant};
use usersync::store::Store;

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

const BUDGET: usize = 20;
const WINDOW: Duration = Duration::from_secs(10);

both_engines! {
    async fn users_of_a_backfill_are_fetched_together_and_written_back_one_by_one((database, emulator, ids) = backfilled) {
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

    async fn users_who_turn_out_to_be_right_cost_no_call_of_their_own((database, emulator, ids) = backfilled) {
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

    async fn a_second_reconcile_notes_no_user_who_is_written_back((database, emulator, _) = backfilled) {
        let app = TestApp::builder(database).emulator(&emulator).start().await;
        app.quiet().await;
        let writes = app.emulator.counts().requests_of("metadata_patch");
        app.run_job(json!({"kind": "reconcile"})).await;
        assert_eq!(app.outbox(), [""; 0]);
        assert_eq!(app.emulator.counts().requests_of("metadata_patch"), writes);
    }

    async fn what_is_given_out_is_the_budget_and_no_more(engine) {
        let database = TestDatabase::new(engine);
        let store = Store::new(&configuration(&database, &[]).database);
        store.migrate().unwrap();
        let (began, mut given) = (Instant::now(), 0);
        for _ in 0..12 {
            given += store.lease_budget("clerk", 3, 16).await.unwrap().requests;
        }
        assert_eq!(given, 16);
        let person = store.lease_budget("clerk", 3, 20).await.unwrap();
        assert_eq!(person.requests, 3, "there is more for who is more urgent");
        let late = store.lease_budget("clerk", 3, 16).await.unwrap();
        assert_eq!(late.requests, 0);
        assert!(late.valid_for + began.elapsed() > WINDOW / 2, "until the oldest are forgotten: {late:?}");
        database.execute("UPDATE api_budgets SET slot = slot - 22");
        assert_eq!(store.lease_budget("clerk", 3, 16).await.unwrap().requests, 3);
        database.execute("UPDATE api_budgets SET slot = slot + 7200, taken = 20");
        let back = store.lease_budget("clerk", 3, 16).await.unwrap();
        assert_eq!(back.requests, 3, "a clock that was set back blocks nobody");
    }
}

/// Workers may spend four fifths; the rest is for sign-ins.
#[tokio::test]
async fn trap_37_two_replicas_never_exceed_the_budget_and_people_go_first() {
    crate::support::run(async {
        const USERS: usize = 22;
        let (database, emulator) = (TestDatabase::new(Engine::Postgres), TestEmulator::start());
        let proxy = Proxy::to(&emulator);
        let budget = [("USERSYNC_API_BUDGET", &*BUDGET.to_string())];
        let builder = TestApp::builder(&database).emulator(&emulator).behind(&proxy);
        let replicas = builder.variables(&budget).start_many(2).await;
        for number in 0..USERS {
            let user = emulator.create_user(json!({"first_name": format!("User{number}")}));
            let sender = &replicas[number % 2].client;
            assert_eq!(sender.send(&event_of(&user)).await.outcome(), "applied");
        }
        proxy.until_arrived(BUDGET * 4 / 5).await;
        let person = emulator.create_user(json!({"first_name": "Ada"}));
        let token = emulator.session_token(person["id"].as_str().unwrap());
        assert_eq!(replicas[0].get_as(&token, "/v1/me").await.status, 200);
        // Within the window of the first call only that sign-in got through.
        let arrivals = proxy.arrivals();
        let first_window = arrivals.iter().filter(|at| **at < arrivals[0] + WINDOW);
        assert_eq!(first_window.count(), BUDGET * 4 / 5 + 1);
        database.until_none("write_backs").await;
        let came = proxy.arrivals();
        let fullest = came
            .iter()
            .map(|from| came.iter().filter(|at| **at >= *from && **at < *from + WINDOW).count());
        assert!(fullest.max().unwrap() <= BUDGET, "{came:?}");
        assert_eq!(
            emulator.counts().requests_of("metadata_patch"),
            u64::try_from(USERS + 1).unwrap()
        );
    })
    .await;
}
