//! No row is emptied while the key may be a wrong one, or the provider fails.

use super::{known, recorded, with_known};
use crate::support::{NO_WRITE_BACK, TestApp, TestEmulator, outcomes};
use clerk_emulator::{INSTANCE, Outage};

async fn held_back(app: &TestApp, ids: &[String], reason: &str) {
    let before = app.database.dump_of(&["users: "]);
    let answer = app.resync(ids).await;
    assert_eq!(outcomes(&answer), vec!["held_back"; ids.len()]);
    for one in answer.body["data"].as_array().unwrap() {
        assert_eq!(one["reason"], reason);
    }
    assert_eq!((app.database.dump_of(&["users: "]), app.emptied()), (before, 0));
    assert_eq!((recorded(app, "held_back"), recorded(app, "emptied")), (ids.len(), 0));
}

fn pinned(app: &TestApp) -> Vec<Option<String>> {
    app.database.query("SELECT instance_id AS value FROM pinned_instances")
}

both_engines! {
    async fn trap_36_a_provider_that_answers_404_to_everything_empties_no_row(engine) {
        for is_pinned in [false, true] {
            let (app, ids) = with_known(engine, 4).await;
            if is_pinned {
                prove(&app).await;
            }
            app.emulator.set_outage(Outage::NotFound);
            let reason = if is_pinned { "nobody_known" } else { "wrong_instance" };
            held_back(&app, &ids, reason).await;
            held_back_once_more(&app, &ids).await;
            app.emulator.set_outage(Outage::None);
            assert_eq!(outcomes(&app.resync(&ids).await), vec!["unchanged"; 4]);
        }
    }

    async fn trap_36_empty_lists_empty_no_row(engine) {
        let (app, ids) = with_known(engine, 4).await;
        app.emulator.set_outage(Outage::EmptyLists);
        assert_eq!(outcomes(&app.resync(&ids).await), vec!["unchanged"; 4]);
        assert_eq!((app.emptied(), app.database.count("absences")), (0, 0));
    }

    async fn trap_36_a_key_that_is_refused_empties_no_row(engine) {
        let (app, ids) = with_known(engine, 4).await;
        app.lose(&ids[..1]);
        for outage in [Outage::Unauthorized, Outage::Unavailable] {
            app.emulator.set_outage(outage);
            assert_eq!(outcomes(&app.resync(&ids).await), vec!["failed"; 4]);
        }
        assert_eq!((app.emptied(), app.database.count("absences")), (0, 0));
    }

    async fn trap_24_a_key_of_another_instance_empties_no_row_and_pins_nothing(engine) {
        let (first, ids) = with_known(engine, 4).await;
        assert_eq!(pinned(&first), []);
        let second = first.moved_to(&TestEmulator::of_instance("ins_other", 5)).await;
        held_back(&second, &ids, "wrong_instance").await;
        assert_eq!(pinned(&second), []);
    }

    async fn trap_24_a_key_of_another_instance_than_the_pinned_one_empties_no_row(engine) {
        let (first, ids) = with_known(engine, 4).await;
        prove(&first).await;
        assert_eq!(pinned(&first), [Some(INSTANCE.to_owned())]);
        let second = first.moved_to(&TestEmulator::of_instance("ins_other", 5)).await;
        // Even where it knows a user of the table: one that was fetched with it.
        let foreign = second.emulator.issued_ids();
        assert_eq!(second.resync_one(&foreign[0]).await.0, "created");
        held_back(&second, &ids, "wrong_instance").await;
        assert_eq!(pinned(&second), [Some(INSTANCE.to_owned())]);
    }

    async fn trap_24_a_key_of_another_instance_than_the_configured_one_empties_no_row(engine) {
        let configured = ("CLERK_INSTANCE_ID", "ins_configured, ins_as_well");
        let app = TestApp::builder(engine).manual_events().variables(&[NO_WRITE_BACK, configured]).start().await;
        let ids = known(&app, 4).await;
        app.lose(&ids[..1]);
        held_back(&app, &ids[..1], "wrong_instance").await;
        assert_eq!(pinned(&app), []);
    }

    async fn trap_24_a_wrong_key_writes_nothing_back_either(engine) {
        let (first, ids) = with_known(engine, 2).await;
        prove(&first).await;
        let emulator = TestEmulator::of_instance("ins_other", 5);
        let (database, _) = first.stop().await;
        let second = TestApp::builder(database).emulator(&emulator).manual_events().start().await;
        let own = second.emulator.issued_ids();
        assert_eq!(second.resync_one(&own[0]).await.0, "created");
        let token = second.emulator.session_token(&own[0]);
        let request = second.http.get(format!("{}/api/clerk/syncUsers", second.origin));
        let request = request.bearer_auth(token).header("accept", "application/json");
        assert_eq!(request.send().await.unwrap().status(), 200);
        assert_eq!(second.emulator.counts().requests_of("metadata_patch"), 0);
        assert_eq!(second.database.count("write_backs WHERE state = 'due'"), 1);
        assert_eq!(second.database.count("users_live"), ids.len() + 1);
    }

    async fn the_only_live_user_is_never_emptied(engine) {
        for is_pinned in [false, true] {
            let (app, ids) = with_known(engine, if is_pinned { 2 } else { 1 }).await;
            if is_pinned {
                app.lose(&ids[1..]);
                assert_eq!(app.resync_one(&ids[1]).await.0, "absent");
                app.database.execute("DELETE FROM users WHERE deletion_kind = 'absent'");
                app.database.execute("DELETE FROM absences");
            }
            app.lose(&ids[..1]);
            let reason = if is_pinned { "nobody_known" } else { "wrong_instance" };
            held_back(&app, &ids[..1], reason).await;
        }
    }

    async fn the_first_key_that_knows_a_user_pins_its_instance(engine) {
        let app = TestApp::builder(engine).manual_events().variables(&[NO_WRITE_BACK, ("CLERK_INSTANCE_ID", INSTANCE)]).start().await;
        let ids = known(&app, 2).await;
        app.lose(&ids[..1]);
        assert_eq!(app.resync_one(&ids[0]).await.0, "absent");
        assert_eq!(pinned(&app), [Some(INSTANCE.to_owned())]);
    }
}

/// Has the key verified: by a user who is really absent, whose trace is then removed.
async fn prove(app: &TestApp) {
    let extra = known(app, 1).await;
    app.lose(&extra);
    assert_eq!(app.resync_one(&extra[0]).await.0, "absent");
    app.database.execute("DELETE FROM users WHERE deletion_kind = 'absent'");
    app.database.execute("DELETE FROM absences");
}

/// Asking again does not help: the same absences are recorded once.
async fn held_back_once_more(app: &TestApp, ids: &[String]) {
    assert_eq!(outcomes(&app.resync(ids).await), vec!["held_back"; ids.len()]);
    assert_eq!((recorded(app, "held_back"), app.emptied()), (ids.len(), 0));
}
