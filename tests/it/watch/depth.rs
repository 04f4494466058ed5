//! How far is read, and what that costs.

use super::{
    EVERY_SECOND, WITHIN, asked_for, change, listed_and_counted, reconciles, sign_up_some, table,
    turns, turns_later, until_live, watermark,
};
use crate::both_engines;
use crate::support::{
    Blocked, Emulated, Engine, NO_WRITE_BACK, Program, Relay, TestDatabase, now_seconds, until,
    user_id,
};
use clerk_emulator::{Emulator, Settings};
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;

/// More than a descent reads: twenty pages, each of which overlaps the one before.
const TOO_MANY: usize = 9_100;

/// How long that many may take on a busy machine.
const CROWD_WITHIN: Duration = Duration::from_secs(240);

/// A provider with users of whom no event tells, one a second.
pub fn crowd(users: usize) -> Emulator {
    Emulator::start(Settings { users, ..Settings::default() }).unwrap()
}

/// Every row, with the mark of its last writing where there is one.
fn written(database: &TestDatabase) -> (Vec<String>, Vec<Option<String>>) {
    let marks = match database.engine {
        Engine::Postgres => {
            database.query("SELECT external_id || xmin::text AS value FROM users ORDER BY 1")
        }
        Engine::Sqlite => Vec::new(),
    };
    (table(database), marks)
}

/// Five turns cost five pages and as many counts, and write no row.
async fn assert_idle(both: &Emulated) {
    turns_later(&both.database, 1).await;
    let (rows, before) = (written(&both.database), listed_and_counted(&both.emulator));
    turns_later(&both.database, 5).await;
    let after = listed_and_counted(&both.emulator);
    // A turn that is under way may have asked or not, at either end.
    for asked in [after.0 - before.0, after.1 - before.1] {
        assert!((4..=6).contains(&asked), "{before:?} {after:?}");
    }
    assert_eq!(written(&both.database), rows);
}

both_engines! {
    async fn an_idle_watch_costs_one_page_and_one_count_and_writes_no_row(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, EVERY_SECOND]).await;
        sign_up_some(&both, 5);
        until_live(&both.database, 5).await;
        turns_later(&both.database, 1).await;
        assert_idle(&both).await;
    }

    async fn of_many_users_only_the_newest_are_read_again(engine) {
        let emulator = crowd(1_200);
        let both = Emulated::start_hearing_on(TestDatabase::new(engine), emulator, &[NO_WRITE_BACK, EVERY_SECOND]).await;
        until_live(&both.database, 1_200).await;
        turns_later(&both.database, 1).await;
        assert_idle(&both).await;
        // So many that they fill three pages, of which none was told.
        let ids = both.emulator.issued_ids();
        change(&both.emulator, &ids, -1);
        let newest = both.emulator.user(&ids[1_199]).unwrap()["updated_at"].as_i64();
        until("all are read", WITHIN, async || (watermark(&both.database) == newest).then_some(())).await;
        let newest = newest.unwrap() - 1_199;
        assert_eq!(both.database.count(&format!("users WHERE version_updated_at >= {newest}")), 1_200);
        assert_eq!(asked_for(&both.database), 0);
    }

    async fn a_time_far_ahead_does_not_blind_the_watch(engine) {
        let emulator = crowd(600);
        let ids = emulator.issued_ids();
        let mut ahead = emulator.user(&ids[0]).unwrap();
        ahead["updated_at"] = json!(4_000_000_000_000_i64);
        assert!(emulator.put_user(&ahead));
        let both = Emulated::start_hearing_on(TestDatabase::new(engine), emulator, &[NO_WRITE_BACK, EVERY_SECOND]).await;
        until_live(&both.database, 600).await;
        turns_later(&both.database, 1).await;
        // More than a page, of which nobody was told.
        let before = now_seconds() * 1_000 - 1;
        change(&both.emulator, &ids[1..], 0);
        let changed = format!("users WHERE version_updated_at > {before}");
        until("all are read", WITHIN, async || (both.database.count(&changed) == 600).then_some(())).await;
    }

    async fn a_descent_that_failed_is_made_again(engine) {
        let (database, emulator) = (TestDatabase::new(engine), crowd(600));
        let relay = Relay::to(&emulator);
        relay.block(Blocked::LaterPagesRefused);
        let variables = [NO_WRITE_BACK, EVERY_SECOND, ("CLERK_API_URL", relay.url.as_str())];
        let both = Emulated::start_hearing_on(database, emulator, &variables).await;
        turns_later(&both.database, 4).await;
        assert_eq!((both.database.count("users"), watermark(&both.database)), (500, None));
        relay.block(Blocked::Nothing);
        until_live(&both.database, 600).await;
        turns_later(&both.database, 2).await;
        let known = watermark(&both.database);
        assert_eq!(known, both.emulator.users().iter().map(|user| user["updated_at"].as_i64()).max().unwrap());
        // Likewise where something was read down from before.
        relay.block(Blocked::LaterPagesRefused);
        change(&both.emulator, &both.emulator.issued_ids(), -1);
        let changed = format!("users WHERE version_updated_at > {}", known.unwrap());
        until("a page is read", WITHIN, async || (both.database.count(&changed) == 500).then_some(())).await;
        turns_later(&both.database, 2).await;
        assert_eq!((both.database.count(&changed), watermark(&both.database)), (500, known));
        relay.block(Blocked::Nothing);
        until("all are read", WITHIN, async || (both.database.count(&changed) == 600).then_some(())).await;
        assert_eq!(asked_for(&both.database), 0);
    }

    async fn where_too_much_changed_one_reconcile_is_started_and_then_the_watch_is_quiet(engine) {
        let emulator = crowd(TOO_MANY);
        let both = Emulated::start_hearing_on(TestDatabase::new(engine), emulator, &[NO_WRITE_BACK, EVERY_SECOND]).await;
        let done = async || (reconciles(&both.database, "'succeeded'") > 0).then_some(());
        until("a reconcile is done", CROWD_WITHIN, done).await;
        assert_eq!(both.database.count("users_live"), TOO_MANY);
        turns_later(&both.database, 1).await;
        assert_idle(&both).await;
        assert_eq!(asked_for(&both.database), 1);
    }

    async fn where_that_reconcile_is_blocked_it_is_not_started_again_and_again(engine) {
        let (database, emulator) = (TestDatabase::new(engine), crowd(TOO_MANY));
        let relay = Relay::to(&emulator);
        relay.block(Blocked::LaterPages);
        let variables = [NO_WRITE_BACK, EVERY_SECOND, ("CLERK_API_URL", relay.url.as_str())];
        let both = Emulated::start_hearing_on(database, emulator, &variables).await;
        until_live(&both.database, 500).await;
        // More than the mass-delete limit lets pass.
        import_strangers(&both.database, 120);
        relay.block(Blocked::Nothing);
        let done = async || (reconciles(&both.database, "'blocked'") > 0).then_some(());
        until("a reconcile is blocked", CROWD_WITHIN, done).await;
        turns_later(&both.database, 2).await;
        let (listed, turn) = (listed_and_counted(&both.emulator).0, turns(&both.database));
        turns_later(&both.database, 5).await;
        let listed = listed_and_counted(&both.emulator).0 - listed;
        // The counts disagree too, which another reconcile may be for.
        let another = u64::try_from(asked_for(&both.database) - 1).unwrap();
        assert!(another <= 1, "{another}");
        let turns = u64::try_from(turns(&both.database) - turn).unwrap();
        assert!(listed <= turns + 1 + another * 30, "{listed} pages in {turns} turns");
    }
}

/// Imports rows of users whom the provider does not know.
fn import_strangers(database: &TestDatabase, count: usize) {
    let program = Program::on(database);
    let mut pairs = "id,external_id\n".to_owned();
    for number in 0..count {
        writeln!(pairs, "row-{number},{}", user_id(number)).unwrap();
    }
    std::fs::write(program.directory().join("pairs"), pairs).unwrap();
    let run = program.run(&["import", "pairs"]);
    assert_eq!(run.status, Some(0), "{run:?}");
}
