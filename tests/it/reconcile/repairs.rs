//! Rows that an older release or another configuration made, and users who are back.

use super::{assert_agreed, assert_counted, backfill, crowded, reconcile, rows};
use crate::both_engines;
use crate::support::{Emulated, NO_WRITE_BACK, configuration};
use serde_json::json;
use usersync::domain::AbsenceBaseline;
use usersync::store::absences::{Absence, AbsenceVerdict};
use usersync::store::{Moment, Store};

/// Writes down that users were looked for just now and not found.
async fn empty(both: &Emulated, ids: &[String]) {
    let config = configuration(&both.database, &[]);
    let now = jiff::Timestamp::now();
    let absence = |id: &String| {
        let updated_at_ms = both.column(id, "version_updated_at").unwrap().parse().unwrap();
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
        let both = crowded(engine, 20).await;
        backfill(&both).await;
        let ids = both.emulator.issued_ids();
        // An older mapping made something else of the same payload.
        for id in &ids[..4] {
            both.database.execute(&format!(
                "UPDATE users SET version_projection = 0, first_name = 'Mismapped' WHERE external_id = '{id}'"
            ));
        }
        let job = reconcile(&both).await;
        assert_counted(&job, &[("seen", 20), ("updated", 4), ("unchanged", 16), ("stale", 4)]);
        assert_agreed(&both);
        assert_eq!(both.database.count("users WHERE version_projection = 1"), 20);
        let before = rows(&both.database);
        assert_counted(&reconcile(&both).await, &[("seen", 20), ("unchanged", 20)]);
        assert_eq!(rows(&both.database), before);
    }

    async fn rows_whose_words_no_longer_follow_the_configuration_are_repaired_and_counted_as_stale(engine) {
        let both = crowded(engine, 0).await;
        let words = ["user", "admin", "wizard", "wizard", "wizard"];
        let ids = words.map(|role| {
            let id = both.sign_up(&format!("User{}", both.emulator.issued_ids().len()));
            both.emulator.merge_public_metadata(&id, json!({ "role": role })).unwrap();
            id
        });
        backfill(&both).await;
        both.set_here(&ids[4], json!({"role": "admin"})).await;
        let roles = |both: &Emulated| ids.each_ref().map(|id| both.column(id, "role").unwrap());
        assert_eq!(roles(&both), ["user", "admin", "user", "user", "admin"]);
        let (database, emulator) = both.stop().await;
        let variables = [NO_WRITE_BACK, ("USERSYNC_ROLES", "user,wizard")];
        let both = Emulated::start_hearing_on(database, emulator, &variables).await;
        let job = reconcile(&both).await;
        // Whoever was given a role here keeps it.
        assert_eq!(roles(&both), ["user", "user", "wizard", "wizard", "admin"]);
        assert_counted(&job, &[("seen", 5), ("updated", 3), ("unchanged", 2), ("stale", 3)]);
        let before = rows(&both.database);
        assert_counted(&reconcile(&both).await, &[("seen", 5), ("unchanged", 5)]);
        assert_eq!(rows(&both.database), before);
    }

    async fn users_who_are_back_after_an_absence_count_as_missing(engine) {
        let both = crowded(engine, 20).await;
        backfill(&both).await;
        let ids = both.emulator.issued_ids();
        both.set_here(&ids[0], json!({"role": "admin", "plan": "pro"})).await;
        empty(&both, &ids[..3]).await;
        assert_eq!(both.database.count("users_live"), 17);
        let job = reconcile(&both).await;
        assert_counted(&job, &[("seen", 20), ("updated", 3), ("unchanged", 17), ("missing", 3)]);
        assert_agreed(&both);
        let row = both.user(&ids[0]).await;
        assert_eq!((&row["role"], &row["plan"]), (&json!("admin"), &json!("pro")));
    }
}
