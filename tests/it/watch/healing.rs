//! Lost creates and updates heal by the watch, lost deletes by a reconcile.

use super::{
    EVERY_SECOND, asked_for, reconciles, settled, turns, turns_later, until_live, watching,
};
use crate::support::{
    Blocked, Engine, Proxy, TestApp, TestDatabase, TestEmulator, deleted, event_of, until,
    until_true,
};
use serde_json::json;

fn record_turns(database: &TestDatabase) {
    let insert = "INSERT INTO healed (turn) SELECT fence FROM leases WHERE name = 'watch'";
    database.execute(&match database.engine {
        Engine::Postgres => format!(
            "CREATE TABLE healed (turn bigint); \
             CREATE FUNCTION record_turn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             {insert}; RETURN NEW; END $$; CREATE TRIGGER record_turn AFTER INSERT OR UPDATE \
             ON users FOR EACH ROW EXECUTE FUNCTION record_turn()"
        ),
        Engine::Sqlite => format!(
            "CREATE TABLE healed (turn INTEGER); \
             CREATE TRIGGER created AFTER INSERT ON users BEGIN {insert}; END; \
             CREATE TRIGGER updated AFTER UPDATE ON users BEGIN {insert}; END"
        ),
    });
}

/// The turn that wrote a row last is one of the two behind `turn`.
fn assert_healed_within_two(database: &TestDatabase, turn: usize) {
    let healed = database.query("SELECT CAST(max(turn) AS text) AS value FROM healed");
    let healed: usize = healed[0].as_ref().unwrap().parse().unwrap();
    assert!((turn..=turn + 2).contains(&healed), "{healed}, behind {turn}");
}

both_engines! {
    async fn a_lost_create_and_a_lost_update_heal_within_two_intervals(engine) {
        let app = watching(engine, &TestEmulator::start(), &[]).start().await;
        turns_later(&app.database, 2).await;
        record_turns(&app.database);
        let id = app.sign_up("Ada");
        let turn = turns(&app.database);
        until_live(&app.database, 1).await;
        assert_healed_within_two(&app.database, turn);
        app.emulator.update_user(&id, json!({"first_name": "Augusta"}));
        let turn = turns(&app.database);
        app.database.until_count("users WHERE first_name = 'Augusta'", 1).await;
        assert_healed_within_two(&app.database, turn);
        assert_eq!((app.emulator.counts().deliveries.sent, asked_for(&app.database)), (0, 0));
    }

    async fn a_row_that_the_watch_made_is_written_back(engine) {
        let app = TestApp::builder(engine).manual_events().variables(&[EVERY_SECOND]).start().await;
        let id = app.sign_up("Ada");
        until("our id is there", async || {
            app.metadata(&id)["dbId"].as_str().map(str::to_owned)
        })
        .await;
        assert_eq!(app.metadata(&id), json!({"dbId": app.user(&id).await["id"], "role": "user"}));
        turns_later(&app.database, 3).await;
        assert_eq!(app.emulator.counts().requests_of("metadata_patch"), 1, "its echo costs nothing");
    }

    async fn a_lost_delete_is_noticed_by_the_counts_and_healed_by_one_reconcile(engine) {
        let (app, ids) = settled(engine, 5).await;
        turns_later(&app.database, 2).await;
        let turn = turns(&app.database);
        assert!(app.emulator.delete_user(&ids[0]));
        app.database.until_count("users WHERE deletion_kind = 'absent'", 1).await;
        assert!(turns(&app.database) > turn, "at first it may have been on its way");
        turns_later(&app.database, 3).await;
        assert_eq!((asked_for(&app.database), reconciles(&app.database, "'succeeded'")), (1, 1));
        assert_eq!(app.database.count("users_live"), 4);
    }

    async fn a_difference_that_a_reconcile_leaves_starts_no_other_one_until_it_changes(engine) {
        let (app, ids) = settled(engine, 3).await;
        // Deleted here, and still at the provider.
        assert_eq!(app.send(&deleted(&ids[0])).await.outcome(), "applied");
        until_true("the counts are noticed", async || reconciles(&app.database, "'succeeded'") == 1).await;
        // After ten intervals it might ask again, were it the first time.
        turns_later(&app.database, 14).await;
        assert_eq!(asked_for(&app.database), 1);
        assert_eq!(app.send(&deleted(&ids[1])).await.outcome(), "applied");
        until_true("another difference is noticed", async || reconciles(&app.database, "'succeeded'") == 2).await;
        assert_eq!(app.database.count("users_live"), 1);
    }

    async fn a_page_never_overwrites_a_newer_event_nor_revives_a_deleted_user(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let proxy = Proxy::blocking(&emulator, Blocked::Pages);
        let sign_up = |name| emulator.create_user(json!({"first_name": name}));
        let [changed, gone, same] = ["Ada", "Grace", "Barbara"].map(sign_up);
        let app = watching(database, &emulator, &[]).behind(&proxy).start().await;
        // The page that is held up shows all three; and so does the provider from now on.
        proxy.until_held(1).await;
        let mut event = event_of(&changed);
        event["data"]["first_name"] = json!("Augusta");
        event["data"]["updated_at"] = json!(changed["updated_at"].as_i64().unwrap() + 1_000);
        assert_eq!(app.send(&event).await.outcome(), "applied");
        assert_eq!(app.send(&deleted(gone["id"].as_str().unwrap())).await.outcome(), "applied");
        let rows = async || {
            let [changed, gone] = [&changed, &gone].map(|user| user["id"].as_str().unwrap());
            [app.user(changed).await, app.user(gone).await]
        };
        let before = rows().await;
        proxy.block(Blocked::Nothing);
        until_live(&app.database, 2).await;
        turns_later(&app.database, 2).await;
        assert_eq!(rows().await, before);
        assert_eq!((&before[0]["first_name"], &before[1]["status"]), (&json!("Augusta"), &json!("deleted")));
        assert_eq!(app.user(same["id"].as_str().unwrap()).await["first_name"], "Barbara");
    }

    async fn who_changes_during_a_descent_is_met_by_the_next(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::with_users(600));
        let proxy = Proxy::blocking(&emulator, Blocked::LaterPages);
        let app = watching(database, &emulator, &[]).behind(&proxy).start().await;
        proxy.until_held(1).await;
        let ids = app.emulator.issued_ids();
        for id in [&ids[0], &ids[300], &ids[599]] {
            app.emulator.update_user(id, json!({"first_name": "Augusta"}));
        }
        app.sign_up("Augusta");
        proxy.block(Blocked::Nothing);
        app.database.until_count("users WHERE first_name = 'Augusta'", 4).await;
        until_live(&app.database, 601).await;
    }
}
