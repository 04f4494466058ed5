//! One replica at a time, and how often.

use super::{
    EVERY_SECOND, asked_for, listed_and_counted, service, turns, turns_later, turns_of, until_live,
    watching,
};
use crate::support::{
    Blocked, Engine, NO_WRITE_BACK, Proxy, TestApp, TestDatabase, TestEmulator, until, until_true,
};
use serde_json::json;
use std::time::Instant;

/// Until when the turn that is under way is leased.
fn leased_until(database: &TestDatabase) -> Option<String> {
    let sql = "SELECT CAST(leased_until AS text) AS value FROM leases WHERE name = 'watch'";
    database.query(sql).pop().flatten()
}

both_engines! {
    async fn of_two_replicas_one_watches_at_a_time(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let began = Instant::now();
        let _replicas = watching(&database, &emulator, &[]).start_many(2).await;
        turns_later(&database, 8).await;
        // A turn may begin between the two.
        let (listed, counted) = listed_and_counted(&emulator);
        let turns = u64::try_from(turns(&database)).unwrap();
        assert!(turns <= began.elapsed().as_secs() + 2, "{turns} in {:?}", began.elapsed());
        assert!(listed <= turns && counted <= turns, "{listed} {counted} in {turns} turns");
    }

    async fn a_turn_that_takes_long_is_not_taken_over(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let proxy = Proxy::blocking(&emulator, Blocked::Pages);
        let app = watching(database, &emulator, &[]).behind(&proxy).start().await;
        proxy.until_held(1).await;
        let until_when = leased_until(&app.database);
        assert!(until_when.is_some());
        until_true("the lease is renewed", async || leased_until(&app.database) > until_when).await;
        assert_eq!((turns(&app.database), listed_and_counted(&app.emulator).0), (1, 1));
        app.sign_up("Ada");
        proxy.block(Blocked::Nothing);
        until_live(&app.database, 1).await;
    }

    async fn after_a_kill_another_one_goes_on_once_the_lease_has_ended(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let proxy = Proxy::blocking(&emulator, Blocked::Pages);
        emulator.create_user(json!({"first_name": "Ada"}));
        let variables = [("CLERK_API_URL", proxy.url.as_str())];
        let mut first = service(&database, &emulator, &variables).await;
        proxy.until_held(1).await;
        let second = service(&database, &emulator, &variables).await;
        // The second one looks again and again, while the first renews its lease.
        let until_when = leased_until(&database);
        until_true("the lease is renewed", async || leased_until(&database) > until_when).await;
        assert_eq!((turns(&database), listed_and_counted(&emulator).0), (1, 1));
        first.kill();
        proxy.block(Blocked::Nothing);
        let until_when = leased_until(&database).unwrap();
        until_true("another one goes on", async || turns(&database) > 1).await;
        let now = format!("SELECT CAST({} AS text) AS value", engine.clock());
        let now = database.texts(&now).remove(0);
        assert!(now > until_when, "{now}, though leased until {until_when}");
        until_live(&database, 1).await;
        turns_later(&database, 2).await;
        assert!(!second.log().contains("WARN"), "{}", second.log());
    }

    async fn where_it_is_off_the_provider_is_not_asked(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        app.emulator.sign_up_many(3);
        app.quiet().await;
        let missing = app.emulator.issued_ids();
        assert_eq!(app.resync(&missing).await.status, 200);
        let listed = listed_and_counted(&app.emulator);
        app.run_job(json!({"kind": "drift"})).await;
        let after = listed_and_counted(&app.emulator);
        assert_eq!((after.0 - listed.0, after.1 - listed.1), (2, 1));
        assert_eq!((app.database.count("leases"), asked_for(&app.database)), (0, 0));
    }

    async fn a_shorter_interval_holds_from_the_next_start_on(engine) {
        let hourly = [
            NO_WRITE_BACK, ("USERSYNC_WATCH_INTERVAL", "1h"), ("USERSYNC_RECONCILE_SCHEDULE", "7d"),
        ];
        let app = TestApp::builder(engine).manual_events().variables(&hourly).start().await;
        let leased = async || {
            let noted = app.database.count("leases WHERE leased_until IS NULL");
            (turns(&app.database) == 1 && noted == 2).then_some(())
        };
        until("the first watch is over", leased).await;
        let (database, emulator) = app.stop().await;
        emulator.create_user(json!({"first_name": "Ada"}));
        let often = [NO_WRITE_BACK, EVERY_SECOND, ("USERSYNC_RECONCILE_SCHEDULE", "2s")];
        let app = TestApp::builder(database).emulator(&emulator).manual_events().variables(&often).start().await;
        until_live(&app.database, 1).await;
        turns_later(&app.database, 3).await;
        until_true("a reconcile was due", async || turns_of(&app.database, "reconcile") >= 1).await;
    }
}

#[tokio::test]
async fn a_replica_without_workers_watches_nothing() {
    crate::support::run(async {
        let variables = [NO_WRITE_BACK, EVERY_SECOND, ("USERSYNC_WORKERS", "off")];
        let app =
            TestApp::builder(Engine::Postgres).manual_events().variables(&variables).start().await;
        app.sign_up("Ada");
        let answer = app.get("/readyz").await;
        assert_eq!((answer.status.as_u16(), app.database.count("leases")), (200, 0));
        let _replica = app.replica(&[NO_WRITE_BACK, EVERY_SECOND]).await;
        until_live(&app.database, 1).await;
    })
    .await;
}
