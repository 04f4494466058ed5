//! No row is emptied while the provider fails, or is another one (traps 24 and 36).

use super::{
    assert_agreed, assert_counted, assert_counters, assert_stopped, backfill, backfilled, many,
    reconcile, reconcile_at_any_price, rows,
};
use crate::support::{TestApp, TestEmulator};
use clerk_emulator::Outage;

fn sizes() -> [usize; 3] {
    [5, 50, many()]
}

fn assert_whole(app: &TestApp, users: usize) {
    assert_eq!((app.emptied(), app.database.count("absences")), (0, 0));
    assert_eq!(app.database.count("users_live"), users);
}

both_engines! {
    async fn trap_36_a_provider_without_users_empties_no_row_however_few_there_are(engine) {
        for users in sizes() {
            let app = backfilled(engine, users).await;
            let before = rows(&app.database);
            app.emulator.set_outage(Outage::NoUsers);
            let job = reconcile(&app).await;
            let said = format!("{users} live rows have no user at the provider");
            assert_stopped(&job, "blocked", &[&said, "CLERK_SECRET_KEY", "allow_mass_delete"]);
            assert_counters(&job, &[("extra", users)]);
            assert_whole(&app, users);
            assert!(rows(&app.database) == before);
            app.emulator.set_outage(Outage::None);
            assert_counted(&reconcile(&app).await, &[("seen", users), ("unchanged", users)]);
            assert_agreed(&app);
        }
    }

    async fn trap_36_empty_lists_empty_no_row(engine) {
        for users in sizes() {
            let app = backfilled(engine, users).await;
            app.emulator.set_outage(Outage::EmptyLists);
            // All are looked up one by one, and are there.
            assert_counted(&reconcile(&app).await, &[]);
            assert_counted(&reconcile_at_any_price(&app).await, &[]);
            assert_whole(&app, users);
            assert_agreed(&app);
        }
    }

    async fn trap_36_404_to_every_question_about_a_user_empties_no_row(engine) {
        for users in sizes() {
            let app = backfilled(engine, users).await;
            app.emulator.set_outage(Outage::NotFound);
            assert_counted(&reconcile(&app).await, &[("seen", users), ("unchanged", users)]);
            assert_whole(&app, users);
        }
    }

    async fn trap_36_a_key_that_is_refused_empties_no_row_and_the_job_says_so(engine) {
        let app = backfilled(engine, 50).await;
        app.emulator.set_outage(Outage::Unauthorized);
        for job in [reconcile(&app).await, reconcile_at_any_price(&app).await] {
            assert_stopped(&job, "failed", &["refuses the API key (401)"]);
            assert_counters(&job, &[]);
        }
        assert_whole(&app, 50);
    }

    async fn trap_24_another_instance_empties_no_row_whatever_an_operator_allows(engine) {
        for users in [5, 50] {
            let app = backfilled(engine, users).await;
            let app = app.moved_to(&TestEmulator::of_instance("ins_other", 5)).await;
            for is_pinned in [true, false] {
                if !is_pinned {
                    app.database.execute("DELETE FROM pinned_instances");
                }
                let before = rows(&app.database);
                for job in [reconcile(&app).await, reconcile_at_any_price(&app).await, backfill(&app).await] {
                    assert_stopped(&job, "failed", &["wrong_instance", "ins_other", "CLERK_SECRET_KEY"]);
                    assert_counters(&job, &[]);
                }
                assert_eq!(rows(&app.database), before);
                assert_whole(&app, users);
            }
            assert_eq!(app.database.count("pinned_instances"), 0);
        }
    }

    async fn trap_36_a_list_of_other_users_empties_no_row_however_few_there_are(engine) {
        for users in sizes() {
            // The keys are of our instance, and none of our users is there.
            let app = backfilled(engine, users).await.moved_to(&TestEmulator::with_users(7)).await;
            let job = reconcile(&app).await;
            let said = format!("{users} live rows have no user at the provider");
            assert_stopped(&job, "blocked", &[&said, "CLERK_SECRET_KEY", "allow_mass_delete"]);
            assert_counters(&job, &[("seen", 7), ("created", 7), ("missing", 7), ("extra", users)]);
            assert_whole(&app, users + 7);
        }
    }

    async fn an_operator_may_have_every_row_emptied_by_the_right_instance(engine) {
        let app = backfilled(engine, 50).await;
        app.emulator.set_outage(Outage::NoUsers);
        assert_counted(&reconcile_at_any_price(&app).await, &[("updated", 50), ("extra", 50)]);
        assert_eq!((app.emptied(), app.database.count("users_live")), (50, 0));
        app.emulator.set_outage(Outage::None);
        assert_counted(&reconcile(&app).await, &[("seen", 50), ("updated", 50), ("missing", 50)]);
        assert_agreed(&app);
    }
}
