//! What goes wrong harms nothing, and is said.

use super::{
    EVERY_SECOND, WITHIN, listed_and_counted, reconciles, service, sign_up_some, table, turns,
    turns_later, until_live, until_logged, watermark,
};
use crate::both_engines;
use crate::support::{Emulated, Engine, NO_WRITE_BACK, TestDatabase, emulator, until};
use clerk_emulator::{Emulator, Outage, Settings};
use serde_json::json;

/// How every line of the log begins that tells of a watch which came to nothing.
const FAILED: &str = "the watch could not look at the provider";

both_engines! {
    async fn an_api_that_is_away_is_logged_once_a_turn_and_heals(engine) {
        let (database, emulator) = (TestDatabase::new(engine), emulator());
        let service = service(&database, &emulator, &[EVERY_SECOND]).await;
        let sign_up = |name| emulator.create_user(json!({"first_name": name}));
        sign_up("Ada");
        sign_up("Grace");
        until_live(&database, 2).await;
        turns_later(&database, 2).await;
        let (before, turn, known) = (table(&database), turns(&database), watermark(&database));
        // One that does not answer is asked less and less often.
        for (outage, times) in [(Outage::Unauthorized, 3), (Outage::Unavailable, 1)] {
            emulator.set_outage(outage);
            let failed = service.log().matches(FAILED).count();
            until_logged(&service, FAILED, failed + times).await;
            assert_eq!((table(&database), watermark(&database)), (before.clone(), known));
        }
        let failed = service.log().matches(FAILED).count();
        assert!(failed <= turns(&database) - turn + 1, "{failed} in {} turns", turns(&database) - turn);
        emulator.set_outage(Outage::None);
        sign_up("Barbara");
        until_live(&database, 3).await;
        assert_eq!(reconciles(&database, "'queued', 'running', 'failed', 'blocked'"), 0);
    }

    async fn trap_24_a_key_of_another_instance_is_logged_once_a_turn_and_changes_nothing(engine) {
        let right = Emulated::start_hearing(engine, &[NO_WRITE_BACK, EVERY_SECOND]).await;
        sign_up_some(&right, 3);
        until_live(&right.database, 3).await;
        turns_later(&right.database, 1).await;
        assert_eq!(right.database.count("pinned_instances"), 1);
        let (database, _right) = right.stop().await;
        let before = table(&database);
        let settings = Settings { instance_id: "ins_other".into(), users: 5, ..Settings::default() };
        let wrong = Emulator::start(settings).unwrap();
        let turn = turns(&database);
        let service = service(&database, &wrong, &[EVERY_SECOND]).await;
        until_logged(&service, &format!("{FAILED}: wrong_instance"), 3).await;
        let failed = service.log().matches(FAILED).count();
        assert!(failed <= turns(&database) - turn, "{failed}");
        assert_eq!(table(&database), before);
        assert_eq!(listed_and_counted(&wrong), (0, 0));
        assert_eq!(database.count("jobs"), 0);
    }

    async fn trap_36_an_empty_list_empties_nobody(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, EVERY_SECOND]).await;
        sign_up_some(&both, 4);
        until_live(&both.database, 4).await;
        both.emulator.set_outage(Outage::EmptyLists);
        let ended = async || (reconciles(&both.database, "'succeeded', 'failed', 'blocked'") == 1).then_some(());
        until("the counts are noticed", WITHIN, ended).await;
        turns_later(&both.database, 2).await;
        assert_eq!((both.database.count("users_live"), both.database.count("absences")), (4, 0));
        both.emulator.set_outage(Outage::None);
        sign_up_some(&both, 1);
        until_live(&both.database, 5).await;
    }

    async fn a_user_whom_the_database_refuses_hides_nobody(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, EVERY_SECOND]).await;
        turns_later(&both.database, 1).await;
        both.database.execute(match engine {
            Engine::Postgres => "ALTER TABLE users ADD CONSTRAINT antidote CHECK (last_name <> 'poison')",
            Engine::Sqlite => {
                "CREATE TRIGGER antidote BEFORE INSERT ON users WHEN NEW.last_name = 'poison' \
                 BEGIN SELECT RAISE(ABORT, 'refused'); END"
            }
        });
        sign_up_some(&both, 3);
        both.emulator.create_user(json!({"first_name": "Ada", "last_name": "poison"}));
        sign_up_some(&both, 3);
        until_live(&both.database, 6).await;
        until("the descent is over", WITHIN, async || watermark(&both.database)).await;
        both.database.execute(match engine {
            Engine::Postgres => "ALTER TABLE users DROP CONSTRAINT antidote",
            Engine::Sqlite => "DROP TRIGGER antidote",
        });
        until_live(&both.database, 7).await;
    }
}
