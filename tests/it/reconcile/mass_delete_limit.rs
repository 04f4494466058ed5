//! The mass-delete limit: no more rows are emptied than a few a day, unless an operator allows it.

use super::{
    assert_agreed, assert_counted, assert_counters, assert_stopped, backfilled, bring_back, fill,
    forgotten, just_now, reconcile, reconcile_at_any_price,
};
use crate::support::outcomes;

/// Times of the last fetch by which a row counts as orphan, or not.
const NEVER_ASKED_FOR: &str = "NULL";

both_engines! {
    async fn of_eleven_extra_rows_none_is_emptied_until_an_operator_allows_it(engine) {
        let app = backfilled(engine, 50).await;
        app.lose(&app.emulator.issued_ids()[20..31]);
        for _ in 0..2 {
            let job = reconcile(&app).await;
            assert_stopped(&job, "blocked", &["11 of 50 live rows", "allow_mass_delete", "dashboard"]);
            assert_counters(&job, &[("seen", 39), ("unchanged", 39), ("extra", 11)]);
            assert_eq!((app.emptied(), app.database.count("users_live")), (0, 50));
        }
        assert_counted(&reconcile_at_any_price(&app).await, &[("seen", 39), ("updated", 11), ("unchanged", 39), ("extra", 11)]);
        assert_eq!(app.emptied(), 11);
        assert_agreed(&app);
        forgotten(&app).await;
    }

    async fn what_was_emptied_by_other_requests_of_the_day_counts_too(engine) {
        let app = backfilled(engine, 50).await;
        let ids = app.emulator.issued_ids();
        app.lose(&ids[..6]);
        assert_eq!(outcomes(&app.resync(&ids[..6]).await), ["absent"; 6]);
        let gone = app.lose(&ids[6..11]);
        let job = reconcile(&app).await;
        assert_stopped(&job, "blocked", &["5 of 44 live rows"]);
        assert_counters(&job, &[("seen", 39), ("unchanged", 39), ("extra", 5)]);
        assert_eq!(app.emptied(), 6);
        bring_back(&app, &gone[..1]);
        assert_counted(&reconcile(&app).await, &[("seen", 40), ("updated", 4), ("unchanged", 40), ("extra", 4)]);
        // What jobs emptied counts for other requests too.
        app.lose(&ids[6..7]);
        assert_eq!(outcomes(&app.resync(&ids[6..7]).await), ["held_back"]);
        assert_eq!(app.emptied(), 10);
        app.database.execute("UPDATE absences SET found_at = '2020-01-01T00:00:00.000Z'");
        assert_counted(&reconcile(&app).await, &[("seen", 39), ("updated", 1), ("unchanged", 39), ("extra", 1)]);
        assert_agreed(&app);
    }

    async fn those_whom_a_resync_held_back_are_emptied_by_the_reconcile_that_an_operator_allows(engine) {
        let app = backfilled(engine, 40).await;
        let ids = app.emulator.issued_ids();
        app.lose(&ids[..11]);
        assert_eq!(outcomes(&app.resync(&ids[..11]).await), ["held_back"; 11]);
        assert_counters(&reconcile(&app).await, &[("seen", 29), ("unchanged", 29), ("extra", 11)]);
        assert_counted(&reconcile_at_any_price(&app).await, &[("seen", 29), ("updated", 11), ("unchanged", 29), ("extra", 11)]);
        assert_eq!(app.database.count("absences WHERE state = 'emptied'"), 11);
        assert_agreed(&app);
    }

    async fn one_in_a_hundred_may_be_extra_and_not_one_more(engine) {
        let app = backfilled(engine, 10).await;
        fill(&app.database, "known", 1_177, just_now(engine));
        fill(&app.database, "gone", 13, NEVER_ASKED_FOR);
        assert_stopped(&reconcile(&app).await, "blocked", &["13 of 1200 live rows"]);
        assert_eq!(app.emptied(), 0);
        let fetched = format!("UPDATE users SET last_fetched_at = {} WHERE external_id = 'user_gone_1'", just_now(engine));
        app.database.execute(&fetched);
        assert_counted(&reconcile(&app).await, &[("seen", 10), ("updated", 12), ("unchanged", 10), ("extra", 12)]);
        assert_eq!(app.emptied(), 12);
    }

    /// Rows are emptied in parts, and those that are emptied already do not count as a smaller table.
    async fn as_many_as_may_be_extra_are_emptied_to_the_last_one(engine) {
        let app = backfilled(engine, 5).await;
        fill(&app.database, "known", 60_000 - 605, just_now(engine));
        fill(&app.database, "gone", 600, NEVER_ASKED_FOR);
        assert_counted(&reconcile(&app).await, &[("seen", 5), ("updated", 600), ("unchanged", 5), ("extra", 600)]);
        assert_eq!(app.emptied(), 600);
        assert_eq!(app.database.count("users_live"), 59_400);
    }
}
