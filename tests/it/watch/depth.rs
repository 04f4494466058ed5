//! How far is read, and what that costs.

use super::{
    asked_for, change, cost_so_far, reconciles, settled, table, turns_later, until_live, watching,
    watermark,
};
use crate::support::{
    Blocked, Engine, Program, Proxy, TestApp, TestDatabase, TestEmulator, now_seconds, until_true,
    user_id,
};
use serde_json::json;
use std::fmt::Write as _;

/// More than a descent reads: twenty pages, each of which overlaps the one before.
const TOO_MANY: usize = 9_100;

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

/// Each of five turns costs a page and a count, and none writes a row.
async fn assert_idle(app: &TestApp) {
    turns_later(&app.database, 1).await;
    let before = cost_so_far(&app.database, &app.emulator).await;
    let rows = written(&app.database);
    turns_later(&app.database, 5).await;
    let after = cost_so_far(&app.database, &app.emulator).await;
    let [turns, listed, counted] = [0, 1, 2].map(|place| after[place] - before[place]);
    assert!(turns >= 5 && (listed, counted) == (turns, turns), "{before:?} {after:?}");
    assert_eq!(written(&app.database), rows);
}

both_engines! {
    async fn an_idle_watch_costs_one_page_and_one_count_and_writes_no_row(engine) {
        let (app, _) = settled(engine, 5).await;
        assert_idle(&app).await;
    }

    async fn of_many_users_only_the_newest_are_read_again(engine) {
        let emulator = TestEmulator::with_users(1_200);
        let app = watching(engine, &emulator, &[]).start().await;
        until_live(&app.database, 1_200).await;
        turns_later(&app.database, 1).await;
        assert_idle(&app).await;
        // So many that they fill three pages, without events.
        let ids = app.emulator.issued_ids();
        change(&app.emulator, &ids, -1);
        let newest = app.emulator.user(&ids[1_199]).unwrap()["updated_at"].as_i64();
        until_true("all are read", async || watermark(&app.database) == newest).await;
        let newest = newest.unwrap() - 1_199;
        assert_eq!(app.database.count(&format!("users WHERE version_updated_at >= {newest}")), 1_200);
        assert_eq!(asked_for(&app.database), 0);
    }

    async fn a_time_far_ahead_does_not_blind_the_watch(engine) {
        let emulator = TestEmulator::with_users(600);
        let ids = emulator.issued_ids();
        let mut ahead = emulator.user(&ids[0]).unwrap();
        ahead["updated_at"] = json!(4_000_000_000_000_i64);
        assert!(emulator.put_user(&ahead));
        let app = watching(engine, &emulator, &[]).start().await;
        until_live(&app.database, 600).await;
        turns_later(&app.database, 1).await;
        let before = now_seconds() * 1_000 - 1;
        change(&app.emulator, &ids[1..], 0);
        let changed = format!("users WHERE version_updated_at > {before}");
        app.database.until_count(&changed, 600).await;
    }

    async fn a_descent_that_failed_is_made_again(engine) {
        let emulator = TestEmulator::with_users(600);
        let proxy = Proxy::blocking(&emulator, Blocked::LaterPagesRefused);
        let app = watching(engine, &emulator, &[]).behind(&proxy).start().await;
        turns_later(&app.database, 4).await;
        assert_eq!((app.database.count("users"), watermark(&app.database)), (500, None));
        proxy.block(Blocked::Nothing);
        until_live(&app.database, 600).await;
        turns_later(&app.database, 2).await;
        let known = watermark(&app.database);
        assert_eq!(known, app.emulator.users().iter().map(|user| user["updated_at"].as_i64()).max().unwrap());
        // Likewise where something was read down from before.
        proxy.block(Blocked::LaterPagesRefused);
        change(&app.emulator, &app.emulator.issued_ids(), -1);
        let changed = format!("users WHERE version_updated_at > {}", known.unwrap());
        app.database.until_count(&changed, 500).await;
        turns_later(&app.database, 2).await;
        assert_eq!((app.database.count(&changed), watermark(&app.database)), (500, known));
        proxy.block(Blocked::Nothing);
        app.database.until_count(&changed, 600).await;
        assert_eq!(asked_for(&app.database), 0);
    }

    async fn where_too_much_changed_one_reconcile_is_started_and_then_the_watch_is_quiet(engine) {
        let emulator = TestEmulator::with_users(TOO_MANY);
        let app = watching(engine, &emulator, &[]).start().await;
        until_true("a reconcile is done", async || reconciles(&app.database, "'succeeded'") > 0).await;
        assert_eq!(app.database.count("users_live"), TOO_MANY);
        turns_later(&app.database, 1).await;
        assert_idle(&app).await;
        assert_eq!(asked_for(&app.database), 1);
    }

    async fn where_that_reconcile_is_blocked_it_is_not_started_again_and_again(engine) {
        let emulator = TestEmulator::with_users(TOO_MANY);
        let proxy = Proxy::blocking(&emulator, Blocked::LaterPages);
        let app = watching(engine, &emulator, &[]).behind(&proxy).start().await;
        until_live(&app.database, 500).await;
        // More than the mass-delete limit allows.
        import_strangers(&app.database, 120);
        proxy.block(Blocked::Nothing);
        until_true("a reconcile is blocked", async || reconciles(&app.database, "'blocked'") > 0).await;
        turns_later(&app.database, 2).await;
        let before = cost_so_far(&app.database, &app.emulator).await;
        turns_later(&app.database, 5).await;
        let after = cost_so_far(&app.database, &app.emulator).await;
        let [turns, listed, _] = [0, 1, 2].map(|place| after[place] - before[place]);
        // The counts disagree too, which another reconcile may be for.
        let another = u64::try_from(asked_for(&app.database) - 1).unwrap();
        assert!(another <= 1, "{another}");
        assert!(listed <= turns + another * 30, "{listed} pages in {turns} turns");
    }
}

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
