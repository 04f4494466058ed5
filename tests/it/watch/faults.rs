//! Faults of the provider harm nothing, and are logged.

use super::{
    listed_and_counted, reconciles, service, settled, table, turns, turns_later, until_live,
    until_logged, watching, watermark,
};
use crate::support::{TestDatabase, TestEmulator, until, until_true};
use clerk_emulator::Outage;
use serde_json::json;

const FAILED: &str = "the watch could not look at the provider";

both_engines! {
    async fn an_api_that_is_away_is_logged_once_a_turn_and_heals(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let service = service(&database, &emulator, &[]).await;
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
        let (right, _) = settled(engine, 3).await;
        assert_eq!(right.database.count("pinned_instances"), 1);
        let (database, _right) = right.stop().await;
        let before = table(&database);
        let wrong = TestEmulator::of_instance("ins_other", 5);
        let turn = turns(&database);
        let service = service(&database, &wrong, &[]).await;
        until_logged(&service, &format!("{FAILED}: wrong_instance"), 3).await;
        let failed = service.log().matches(FAILED).count();
        assert!(failed <= turns(&database) - turn, "{failed}");
        assert_eq!(table(&database), before);
        assert_eq!(listed_and_counted(&wrong), (0, 0));
        assert_eq!(database.count("jobs"), 0);
    }

    async fn trap_36_an_empty_list_empties_no_row(engine) {
        let (app, _) = settled(engine, 4).await;
        app.emulator.set_outage(Outage::EmptyLists);
        until_true("the counts are noticed", async || reconciles(&app.database, "'succeeded', 'failed', 'blocked'") == 1).await;
        turns_later(&app.database, 2).await;
        assert_eq!((app.database.count("users_live"), app.database.count("absences")), (4, 0));
        app.emulator.set_outage(Outage::None);
        app.emulator.sign_up_many(1);
        until_live(&app.database, 5).await;
    }

    async fn a_user_whom_the_database_refuses_hides_no_other(engine) {
        let app = watching(engine, &TestEmulator::start(), &[]).start().await;
        turns_later(&app.database, 1).await;
        app.database.refuse_users("last_name", "poison");
        app.emulator.sign_up_many(3);
        app.emulator.create_user(json!({"first_name": "Ada", "last_name": "poison"}));
        app.emulator.sign_up_many(3);
        until_live(&app.database, 6).await;
        until("the descent is over", async || watermark(&app.database)).await;
        app.database.refuse_no_users();
        until_live(&app.database, 7).await;
    }
}
