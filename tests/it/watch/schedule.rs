//! A reconcile when one is due.

use super::{asked_for, reconciles, turns_of, until_live};
use crate::support::{
    Blocked, Proxy, TestApp, TestAppBuilder, TestDatabase, TestEmulator, now_seconds, until,
    until_true,
};
use serde_json::json;
use std::time::Instant;

const EVERY_TWO_SECONDS: (&str, &str) = ("USERSYNC_RECONCILE_SCHEDULE", "2s");

fn asked_at(database: &TestDatabase) -> Vec<i64> {
    let ids = database.query("SELECT id AS value FROM jobs ORDER BY id");
    let at = |id: String| i64::from_str_radix(id.replace('-', "").get(..12).unwrap(), 16).unwrap();
    ids.into_iter().flatten().map(at).collect()
}

fn due_at(database: &TestDatabase) -> Option<i64> {
    let sql = "SELECT CAST(due_at AS text) AS value FROM leases WHERE name = 'reconcile'";
    let text = database.query(sql).pop()??;
    let time: Vec<i64> = text.get(11..19)?.split(':').map(|part| part.parse().unwrap()).collect();
    Some((time[0] * 60 + time[1]) * 60 + time[2])
}

fn scheduled(
    database: impl Into<TestDatabase>,
    emulator: &TestEmulator,
    schedule: (&str, &str),
) -> TestAppBuilder {
    let builder = TestApp::builder(database).emulator(emulator).manual_events().no_write_back();
    builder.variables(&[schedule])
}

both_engines! {
    async fn a_lost_delete_heals_although_the_counts_agree(engine) {
        let app = scheduled(engine, &TestEmulator::start(), EVERY_TWO_SECONDS).start().await;
        let ids = app.emulator.sign_up_many(5);
        until_live(&app.database, 5).await;
        assert!(app.emulator.delete_user(&ids[0]));
        let new = app.sign_up("Ada");
        app.database.until_count("users WHERE deletion_kind = 'absent'", 1).await;
        until_live(&app.database, 5).await;
        assert_eq!(app.user(&new).await["status"], "active");
        assert_eq!(app.column(&ids[0], "deletion_kind").as_deref(), Some("absent"));
    }

    async fn two_replicas_ask_for_one_reconcile_at_a_time(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let began = now_seconds() * 1_000;
        let _replicas = scheduled(&database, &emulator, EVERY_TWO_SECONDS).start_many(2).await;
        until_true("four were due", async || reconciles(&database, "'succeeded'") >= 4).await;
        let asked = asked_at(&database);
        assert!(asked[0] - began >= 2_000, "the first one is not due at once");
        for two in asked.windows(2) {
            assert!(two[1] - two[0] >= 1_900, "{asked:?}");
        }
    }

    async fn a_reconcile_that_is_active_already_is_no_error(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let proxy = Proxy::blocking(&emulator, Blocked::Everything);
        let schedule = ("USERSYNC_RECONCILE_SCHEDULE", "1s");
        let service = scheduled(&database, &emulator, schedule).behind(&proxy).start_process().await;
        until_true("one is due again and again", async || turns_of(&database, "reconcile") >= 4).await;
        assert_eq!((asked_for(&database), reconciles(&database, "'running'")), (1, 1));
        emulator.create_user(json!({"first_name": "Ada"}));
        proxy.block(Blocked::Nothing);
        until_live(&database, 1).await;
        assert!(!service.log().contains("a scheduled reconcile waits"), "{}", service.log());
    }

    async fn a_time_of_the_day_comes_once_a_day(engine) {
        let hour = (now_seconds() / 3_600 + 12) % 24;
        let schedule = format!("{hour:02}:30");
        let app = scheduled(engine, &TestEmulator::start(), ("USERSYNC_RECONCILE_SCHEDULE", &schedule)).start().await;
        app.emulator.sign_up_many(1);
        let is_right = |at: i64| (at - (hour * 60 + 30) * 60).abs() <= 1;
        let due = until("it is noted when one is due", async || due_at(&app.database)).await;
        assert!(is_right(due), "{due} for {schedule}");
        assert_eq!((asked_for(&app.database), turns_of(&app.database, "reconcile")), (0, 0));
        app.database.execute("UPDATE leases SET due_at = '2026-01-01T00:00:00.000Z'");
        until_live(&app.database, 1).await;
        let noted = async || due_at(&app.database).filter(|due| is_right(*due));
        until("the next one is noted", noted).await;
        assert_eq!((asked_for(&app.database), turns_of(&app.database, "reconcile")), (1, 1));
    }

    async fn where_it_is_off_none_is_ever_due(engine) {
        let began = Instant::now();
        let app = super::watching(engine, &TestEmulator::start(), &[]).start().await;
        app.emulator.sign_up_many(2);
        until_live(&app.database, 2).await;
        super::turns_later(&app.database, 3).await;
        assert!(began.elapsed().as_secs() >= 2);
        let names = app.database.query("SELECT name AS value FROM leases");
        assert_eq!((names, asked_for(&app.database)), (vec![Some("watch".to_owned())], 0));
    }
}
