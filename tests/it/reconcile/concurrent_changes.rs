//! Users change while a page of them is under way (traps 33 and 35).

use super::{assert_agreed, assert_counted, backfill, bring_back, crowded, live, reconcile, there};
use crate::support::{Blocked, TestApp, deleted};
use serde_json::{Value, json};

both_engines! {
    async fn trap_35_what_webhooks_bring_while_a_page_is_on_its_way_is_never_undone(engine) {
        for kind in ["backfill", "reconcile"] {
            let (app, proxy) = crowded(engine, 0).start_behind_proxy().await;
            let names = ["Same", "Changed", "Deleted", "NewChanged", "NewDeleted", "New"];
            let [same, changed, gone, new_changed, new_gone, new] = names.map(|name| app.sign_up(name));
            for id in [&same, &changed, &gone] {
                assert_eq!(app.send(&app.event_of(id)).await.outcome(), "applied");
            }
            proxy.block(Blocked::Pages);
            let job = app.start_job(json!({"kind": kind})).await;
            proxy.until_held(1).await;
            for id in [&changed, &new_changed] {
                app.emulator.update_user(id, json!({"first_name": "Later"})).unwrap();
                assert_eq!(app.send(&app.event_of(id)).await.outcome(), "applied");
            }
            for id in [&gone, &new_gone] {
                app.emulator.delete_user(id);
                assert_eq!(app.send(&deleted(id)).await.outcome(), "applied");
            }
            let later = app.sign_up("Later");
            assert_eq!(app.send(&app.event_of(&later)).await.outcome(), "applied");
            proxy.block(Blocked::Nothing);
            let job = app.ended_job(&job).await;
            // The page shows six as they were; one more comes in the next page.
            assert_counted(&job, &[("seen", 7), ("unchanged", 4), ("created", 1), ("missing", 1), ("tombstoned", 2)]);
            assert_agreed(&app);
            assert_eq!(app.user(&new).await["status"], "active");
            for id in [&gone, &new_gone] {
                assert_eq!(app.column(id, "deletion_kind").as_deref(), Some("signed"));
                assert_eq!(app.column(id, "email"), None);
            }
            assert_eq!(app.emptied(), 0);
        }
    }

    async fn trap_33_users_who_are_deleted_between_two_pages_hide_no_other(engine) {
        for kind in ["backfill", "reconcile"] {
            let (app, proxy) = crowded(engine, 1_200).start_behind_proxy().await;
            let ids = app.emulator.issued_ids();
            proxy.block(Blocked::Pages);
            let job = app.start_job(json!({"kind": kind})).await;
            proxy.until_held(1).await;
            // The last one of the page, behind whom the next one is asked for, and others.
            let seen: Vec<String> = [0, 1, 250, 498, 499].map(|place| ids[place].clone()).to_vec();
            let unseen: Vec<String> = [500, 501, 700].map(|place| ids[place].clone()).to_vec();
            let mut expected = there(&app.emulator);
            expected.retain(|user| !unseen.iter().any(|id| user.starts_with(id.as_str())));
            app.lose(&seen);
            app.lose(&unseen);
            proxy.block(Blocked::Nothing);
            let job = app.ended_job(&job).await;
            let users = 1_200 - unseen.len();
            assert_counted(&job, &[("seen", users), ("created", users), ("missing", users)]);
            assert_eq!(live(&app.database), expected);
            // Users deleted behind the page are found by the next run.
            let job = reconcile(&app).await;
            let users = app.emulator.users().len();
            assert_counted(&job, &[("seen", users), ("updated", 5), ("unchanged", users), ("extra", 5)]);
            assert_agreed(&app);
        }
    }

    async fn a_user_who_is_back_by_the_second_look_up_is_not_emptied(engine) {
        let (app, proxy) = crowded(engine, 30).start_behind_proxy().await;
        backfill(&app).await;
        let ids = app.emulator.issued_ids();
        let gone = app.lose(&ids[3..6]);
        proxy.block(Blocked::Fetches);
        let job = app.start_job(json!({"kind": "reconcile"})).await;
        // All pages are read, and these three were in none.
        proxy.until_held(1).await;
        bring_back(&app, &gone[..2]);
        app.emulator.update_user(&ids[3], json!({"first_name": "Back"})).unwrap();
        proxy.block(Blocked::Nothing);
        let job = app.ended_job(&job).await;
        assert_counted(&job, &[("seen", 27), ("updated", 1), ("unchanged", 27), ("extra", 1)]);
        assert_agreed(&app);
    }

    async fn a_row_that_changes_between_the_look_and_the_emptying_stays(engine) {
        let (app, proxy) = crowded(engine, 30).start_behind_proxy().await;
        backfill(&app).await;
        let ids = app.emulator.issued_ids();
        let gone = app.lose(&ids[3..5]);
        proxy.block(Blocked::Fetches);
        let job = app.start_job(json!({"kind": "reconcile"})).await;
        proxy.until_held(1).await;
        // That was whether the last user of all is still there; now both are fetched, and are gone.
        proxy.release_once();
        proxy.until_held(2).await;
        bring_back_by_event(&app, &gone[0]).await;
        proxy.block(Blocked::Nothing);
        let job = app.ended_job(&job).await;
        assert_counted(&job, &[("seen", 28), ("updated", 1), ("unchanged", 28), ("extra", 2)]);
        assert_agreed(&app);
    }
}

async fn bring_back_by_event(app: &TestApp, user: &Value) {
    bring_back(app, std::slice::from_ref(user));
    let id = user["id"].as_str().unwrap();
    app.emulator.update_user(id, json!({"first_name": "Back"})).unwrap();
    assert_eq!(app.send(&app.event_of(id)).await.outcome(), "applied");
}
