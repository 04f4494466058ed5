//! Rows that an older release or another configuration made, and users who are back.

use super::{assert_agreed, assert_counted, backfill, crowded, reconcile, rows};
use crate::support::{NO_WRITE_BACK, TestApp, configuration};
use serde_json::json;
use usersync::domain::AbsenceBaseline;
use usersync::store::absences::{Absence, AbsenceVerdict};
use usersync::store::{Moment, Store};

/// Records that users were looked up just now and not found.
async fn empty(app: &TestApp, ids: &[String]) {
    let config = configuration(&app.database, &[]);
    let now = jiff::Timestamp::now();
    let absence = |id: &String| {
        let updated_at_ms = app.column(id, "version_updated_at").unwrap().parse().unwrap();
        let baseline = AbsenceBaseline { updated_at_ms, projection: 1 };
        Absence { external_id: id.clone(), baseline, sent_at_ms: now.as_millisecond() }
    };
    let absences = ids.iter().map(absence).collect();
    let store = Store::new(&config.database);
    let verdict = store.empty_absent(config.row_defaults(), Moment::from_timestamp(now), absences);
    let AbsenceVerdict::Emptied(mut emptied) = verdict.await.unwrap() else {
        panic!("held back");
    };
    let mut expected = ids.to_vec();
    emptied.sort_unstable();
    expected.sort_unstable();
    assert_eq!(emptied, expected);
}

both_engines! {
    async fn rows_of_an_older_projection_are_repaired_and_counted_as_stale(engine) {
        let app = crowded(engine, 20).start().await;
        backfill(&app).await;
        let ids = app.emulator.issued_ids();
        // An older mapping made something else of the same payload.
        for id in &ids[..4] {
            app.database.execute(&format!(
                "UPDATE users SET version_projection = 0, first_name = 'Mismapped' WHERE external_id = '{id}'"
            ));
        }
        let job = reconcile(&app).await;
        assert_counted(&job, &[("seen", 20), ("updated", 4), ("unchanged", 16), ("stale", 4)]);
        assert_agreed(&app);
        assert_eq!(app.database.count("users WHERE version_projection = 1"), 20);
        let before = rows(&app.database);
        assert_counted(&reconcile(&app).await, &[("seen", 20), ("unchanged", 20)]);
        assert_eq!(rows(&app.database), before);
    }

    async fn rows_whose_words_no_longer_follow_the_configuration_are_repaired_and_counted_as_stale(engine) {
        let app = crowded(engine, 0).start().await;
        let words = ["user", "admin", "wizard", "wizard", "wizard"];
        let ids = words.map(|role| {
            let id = app.sign_up(&format!("User{}", app.emulator.issued_ids().len()));
            app.emulator.merge_public_metadata(&id, json!({ "role": role })).unwrap();
            id
        });
        backfill(&app).await;
        app.set_override(&ids[4], json!({"role": "admin"})).await;
        let roles = |app: &TestApp| ids.each_ref().map(|id| app.column(id, "role").unwrap());
        assert_eq!(roles(&app), ["user", "admin", "user", "user", "admin"]);
        let (database, emulator) = app.stop().await;
        let variables = [NO_WRITE_BACK, ("USERSYNC_ROLES", "user,wizard")];
        let app = TestApp::builder(database).emulator(&emulator).manual_events().variables(&variables).start().await;
        let job = reconcile(&app).await;
        // An override is kept.
        assert_eq!(roles(&app), ["user", "user", "wizard", "wizard", "admin"]);
        assert_counted(&job, &[("seen", 5), ("updated", 3), ("unchanged", 2), ("stale", 3)]);
        let before = rows(&app.database);
        assert_counted(&reconcile(&app).await, &[("seen", 5), ("unchanged", 5)]);
        assert_eq!(rows(&app.database), before);
    }

    async fn users_who_are_back_after_an_absence_count_as_missing(engine) {
        let app = crowded(engine, 20).start().await;
        backfill(&app).await;
        let ids = app.emulator.issued_ids();
        app.set_override(&ids[0], json!({"role": "admin", "plan": "pro"})).await;
        empty(&app, &ids[..3]).await;
        assert_eq!(app.database.count("users_live"), 17);
        let job = reconcile(&app).await;
        assert_counted(&job, &[("seen", 20), ("updated", 3), ("unchanged", 17), ("missing", 3)]);
        assert_agreed(&app);
        let row = app.user(&ids[0]).await;
        assert_eq!((&row["role"], &row["plan"]), (&json!("admin"), &json!("pro")));
    }
}
