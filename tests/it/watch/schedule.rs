//! A reconcile when one is due.

use super::{WITHIN, asked_for, reconciles, service, sign_up_some, turns_of, until_live};
use crate::both_engines;
use crate::support::{
    Blocked, Emulated, NO_WRITE_BACK, Relay, Replica, TestDatabase, emulator, now_seconds,
    provider_variables, until,
};
use serde_json::json;
use std::time::Instant;

const EVERY_TWO_SECONDS: (&str, &str) = ("USERSYNC_RECONCILE_SCHEDULE", "2s");

/// When jobs were asked for, in milliseconds, as their ids tell.
fn asked_at(database: &TestDatabase) -> Vec<i64> {
    let ids = database.query("SELECT id AS value FROM jobs ORDER BY id");
    let at = |id: String| i64::from_str_radix(id.replace('-', "").get(..12).unwrap(), 16).unwrap();
    ids.into_iter().flatten().map(at).collect()
}

/// At which second of the day the next reconcile is due.
fn due_at(database: &TestDatabase) -> Option<i64> {
    let sql = "SELECT CAST(due_at AS text) AS value FROM leases WHERE name = 'reconcile'";
    let text = database.query(sql).pop()??;
    let time: Vec<i64> = text.get(11..19)?.split(':').map(|part| part.parse().unwrap()).collect();
    Some((time[0] * 60 + time[1]) * 60 + time[2])
}

both_engines! {
    async fn a_lost_delete_heals_although_the_counts_agree(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, EVERY_TWO_SECONDS]).await;
        let ids = sign_up_some(&both, 5);
        until_live(&both.database, 5).await;
        assert!(both.emulator.delete_user(&ids[0]));
        let new = both.sign_up("Ada");
        until("the row is emptied", WITHIN, async || {
            (both.database.count("users WHERE deletion_kind = 'absent'") == 1).then_some(())
        })
        .await;
        until_live(&both.database, 5).await;
        assert_eq!(both.user(&new).await["status"], "active");
        assert_eq!(both.column(&ids[0], "deletion_kind").as_deref(), Some("absent"));
    }

    async fn two_replicas_ask_for_one_reconcile_at_a_time(engine) {
        let (database, emulator) = (TestDatabase::new(engine), emulator());
        let own = provider_variables(&emulator);
        let own = own.iter().map(|(name, value)| (&**name, &**value));
        let variables: Vec<(&str, &str)> = own.chain([NO_WRITE_BACK, EVERY_TWO_SECONDS]).collect();
        let began = now_seconds() * 1_000;
        let replicas = Replica::start_many_with(2, &database, &variables).await;
        let enough = async || (reconciles(&database, "'succeeded'") >= 4).then_some(());
        until("four were due", WITHIN, enough).await;
        let asked = asked_at(&database);
        assert!(asked[0] - began >= 2_000, "the first one is not due at once");
        for two in asked.windows(2) {
            assert!(two[1] - two[0] >= 1_900, "{asked:?}");
        }
        for replica in replicas {
            replica.stop().await;
        }
    }

    async fn a_reconcile_that_is_active_already_is_no_error(engine) {
        let (database, emulator) = (TestDatabase::new(engine), emulator());
        let relay = Relay::to(&emulator);
        relay.block(Blocked::Everything);
        let schedule = ("USERSYNC_RECONCILE_SCHEDULE", "1s");
        let service = service(&database, &emulator, &[schedule, ("CLERK_API_URL", relay.url.as_str())]).await;
        let due_often = async || (turns_of(&database, "reconcile") >= 4).then_some(());
        until("one is due again and again", WITHIN, due_often).await;
        assert_eq!((asked_for(&database), reconciles(&database, "'running'")), (1, 1));
        emulator.create_user(json!({"first_name": "Ada"}));
        relay.block(Blocked::Nothing);
        until_live(&database, 1).await;
        assert!(!service.log().contains("a scheduled reconcile waits"), "{}", service.log());
    }

    async fn a_time_of_the_day_comes_once_a_day(engine) {
        // Not within this test, whenever that runs.
        let hour = (now_seconds() / 3_600 + 12) % 24;
        let schedule = format!("{hour:02}:30");
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, ("USERSYNC_RECONCILE_SCHEDULE", &schedule)]).await;
        sign_up_some(&both, 1);
        let is_right = |at: i64| (at - (hour * 60 + 30) * 60).abs() <= 1;
        let due = until("it is noted when one is due", WITHIN, async || due_at(&both.database)).await;
        assert!(is_right(due), "{due} for {schedule}");
        assert_eq!((asked_for(&both.database), turns_of(&both.database, "reconcile")), (0, 0));
        both.database.execute("UPDATE leases SET due_at = '2026-01-01T00:00:00.000Z'");
        until_live(&both.database, 1).await;
        let noted = async || due_at(&both.database).filter(|due| is_right(*due));
        until("the next one is noted", WITHIN, noted).await;
        assert_eq!((asked_for(&both.database), turns_of(&both.database, "reconcile")), (1, 1));
    }

    async fn where_it_is_off_none_is_ever_due(engine) {
        let began = Instant::now();
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, super::EVERY_SECOND]).await;
        sign_up_some(&both, 2);
        until_live(&both.database, 2).await;
        super::turns_later(&both.database, 3).await;
        assert!(began.elapsed().as_secs() >= 2);
        let names = both.database.query("SELECT name AS value FROM leases");
        assert_eq!((names, asked_for(&both.database)), (vec![Some("watch".to_owned())], 0));
    }
}
