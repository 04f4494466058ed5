//! One replica at a time, and how often.

use super::{
    EVERY_SECOND, WITHIN, asked_for, listed_and_counted, service, sign_up_some, turns, turns_later,
    turns_of, until_live,
};
use crate::both_engines;
use crate::support::{
    ADMIN_TOKEN, Blocked, Emulated, Engine, NO_WRITE_BACK, Relay, Replica, TestDatabase, emulator,
    provider_variables, until,
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
        let (database, emulator) = (TestDatabase::new(engine), emulator());
        let own = provider_variables(&emulator);
        let own = own.iter().map(|(name, value)| (&**name, &**value));
        let variables: Vec<(&str, &str)> = own.chain([NO_WRITE_BACK, EVERY_SECOND]).collect();
        let began = Instant::now();
        let replicas = Replica::start_many_with(2, &database, &variables).await;
        turns_later(&database, 8).await;
        let turns = u64::try_from(turns(&database)).unwrap();
        let (listed, counted) = listed_and_counted(&emulator);
        assert!(turns <= began.elapsed().as_secs() + 2, "{turns} in {:?}", began.elapsed());
        assert!(listed <= turns && counted <= turns, "{listed} {counted} in {turns} turns");
        for replica in replicas {
            replica.stop().await;
        }
    }

    async fn a_turn_that_takes_long_is_not_taken_over(engine) {
        let (database, emulator) = (TestDatabase::new(engine), emulator());
        let relay = Relay::to(&emulator);
        relay.block(Blocked::Pages);
        let variables = [NO_WRITE_BACK, EVERY_SECOND, ("CLERK_API_URL", relay.url.as_str())];
        let both = Emulated::start_hearing_on(database, emulator, &variables).await;
        relay.until_held(1).await;
        let until_when = leased_until(&both.database);
        assert!(until_when.is_some());
        until("the lease is renewed", WITHIN, async || {
            leased_until(&both.database).filter(|now| Some(now) > until_when.as_ref())
        })
        .await;
        assert_eq!((turns(&both.database), listed_and_counted(&both.emulator).0), (1, 1));
        both.sign_up("Ada");
        relay.block(Blocked::Nothing);
        until_live(&both.database, 1).await;
    }

    async fn after_a_kill_another_one_goes_on_once_the_lease_has_ended(engine) {
        let (database, emulator) = (TestDatabase::new(engine), emulator());
        let relay = Relay::to(&emulator);
        relay.block(Blocked::Pages);
        emulator.create_user(json!({"first_name": "Ada"}));
        let variables = [EVERY_SECOND, ("CLERK_API_URL", relay.url.as_str())];
        let mut first = service(&database, &emulator, &variables).await;
        relay.until_held(1).await;
        let second = service(&database, &emulator, &variables).await;
        // The second one looks again and again, while the first renews its lease.
        let until_when = leased_until(&database);
        until("the lease is renewed", WITHIN, async || {
            leased_until(&database).filter(|now| Some(now) > until_when.as_ref())
        })
        .await;
        assert_eq!((turns(&database), listed_and_counted(&emulator).0), (1, 1));
        first.kill();
        let killed = Instant::now();
        relay.block(Blocked::Nothing);
        until_live(&database, 1).await;
        // The lease is of fifteen seconds, and was renewed less than four before.
        let elapsed = killed.elapsed().as_secs();
        assert!((9..45).contains(&elapsed), "{elapsed} s");
        turns_later(&database, 2).await;
        assert!(!second.log().contains("WARN"), "{}", second.log());
    }

    async fn where_it_is_off_nobody_is_asked(engine) {
        let both = Emulated::start(engine).await;
        sign_up_some(&both, 3);
        both.quiet().await;
        let missing = both.emulator.issued_ids();
        assert_eq!(both.resync(&missing).await.status, 200);
        let listed = listed_and_counted(&both.emulator);
        let search = json!({"kind": "drift"});
        let answer = both.ask(reqwest::Method::POST, "/v1/jobs", ADMIN_TOKEN, Some(search)).await;
        assert_eq!(answer.status, 202);
        until("the search has ended", WITHIN, async || {
            (both.database.count("jobs WHERE finished_at IS NOT NULL") == 1).then_some(())
        })
        .await;
        // Two pages of the search, of which the second is empty.
        let after = listed_and_counted(&both.emulator);
        assert_eq!((after.0 - listed.0, after.1 - listed.1), (2, 1));
        assert_eq!((both.database.count("leases"), asked_for(&both.database)), (0, 0));
    }

    async fn a_shorter_interval_holds_from_the_next_start_on(engine) {
        let hourly = [
            NO_WRITE_BACK, ("USERSYNC_WATCH_INTERVAL", "1h"), ("USERSYNC_RECONCILE_SCHEDULE", "7d"),
        ];
        let both = Emulated::start_hearing(engine, &hourly).await;
        let leased = async || {
            let noted = both.database.count("leases WHERE leased_until IS NULL");
            (turns(&both.database) == 1 && noted == 2).then_some(())
        };
        until("the first watch is over", WITHIN, leased).await;
        let (database, emulator) = both.stop().await;
        emulator.create_user(json!({"first_name": "Ada"}));
        let often = [NO_WRITE_BACK, EVERY_SECOND, ("USERSYNC_RECONCILE_SCHEDULE", "2s")];
        let both = Emulated::start_hearing_on(database, emulator, &often).await;
        until_live(&both.database, 1).await;
        turns_later(&both.database, 3).await;
        until("a reconcile was due", WITHIN, async || (turns_of(&both.database, "reconcile") >= 1).then_some(())).await;
    }
}

/// A replica that does not work leaves the watch to others.
#[tokio::test]
async fn a_replica_without_workers_watches_nothing() {
    let variables = [NO_WRITE_BACK, EVERY_SECOND, ("USERSYNC_WORKERS", "off")];
    let both = Emulated::start_hearing(Engine::Postgres, &variables).await;
    let own = provider_variables(&both.emulator);
    let own = own.iter().map(|(name, value)| (&**name, &**value));
    let working: Vec<(&str, &str)> = own.chain([NO_WRITE_BACK, EVERY_SECOND]).collect();
    both.sign_up("Ada");
    let answer = both.get("/readyz").await;
    assert_eq!((answer.status.as_u16(), both.database.count("leases")), (200, 0));
    let replica = Replica::start_with(&both.database, &working).await;
    until_live(&both.database, 1).await;
    replica.stop().await;
}
