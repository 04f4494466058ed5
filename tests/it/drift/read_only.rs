//! A search changes nothing.

use super::{change, drift, in_step, job, named, sign_up};
use crate::support::{ADMIN_TOKEN, TestApp, TestEmulator, deleted};
use serde_json::json;

/// All that the database holds, but for what a job notes of itself.
fn everything(app: &TestApp) -> Vec<String> {
    let dump = app.database.dump();
    let own =
        |line: &&str| !["jobs:", "job_candidates:"].iter().any(|table| line.starts_with(table));
    dump.lines().filter(own).map(str::to_owned).collect()
}

both_engines! {
    async fn a_search_leaves_table_outbox_pin_and_provider_as_they_are(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let ids: Vec<String> = (0..6).map(|number| sign_up(&app, 60, named(number))).collect();
        for id in &ids {
            assert_eq!(app.send(&app.event_of(id)).await.outcome(), "applied");
        }
        sign_up(&app, 5, named(9));
        change(&app, 5, &ids[0], "first_name", json!("Augusta"));
        assert!(app.emulator.delete_user(&ids[1]));
        change(&app, 5, &ids[2], "public_metadata", json!({"dbId": "another"}));
        assert_eq!(app.send(&deleted(&ids[3])).await.outcome(), "applied");
        app.set_override(&ids[4], json!({"role": "admin"})).await;
        let before = (everything(&app), app.emulator.users());
        for _ in 0..2 {
            // Here write-back is switched on.
            let run = drift(&app, &[]).await;
            assert_eq!(run.status, Some(1), "{run:?}");
            assert_eq!((everything(&app), app.emulator.users()), before);
        }
        assert_eq!(job(&app, "drift").await["state"], "succeeded");
        assert_eq!((everything(&app), app.emulator.users()), before);
        assert_eq!(app.database.count("pinned_instances"), 0);
        assert_eq!(app.database.count("job_candidates"), 0);
        let counts = app.emulator.counts();
        assert_eq!(counts.requests_of("metadata_patch") + counts.requests_of("update"), 0);
    }

    async fn trap_24_a_key_of_another_instance_finds_no_drift(engine) {
        let (first, _) = in_step(engine, 3).await;
        let other = TestEmulator::of_instance("ins_other", 5);
        let (database, _) = first.stop().await;
        let second = TestApp::builder(database).emulator(&other).manual_events().no_write_back().start().await;
        let run = drift(&second, &[]).await;
        assert_eq!(run.status, Some(1), "{run:?}");
        assert!(run.stderr.contains("wrong_instance"), "{run:?}");
        assert_eq!(second.get_as(ADMIN_TOKEN, "/v1/drift").await.code(), "no_drift_report");
        assert_eq!(second.emulator.counts().requests_of("list"), 0);
    }

    async fn a_table_that_nobody_proved_yet_is_compared_and_stays_unproven(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let missing = sign_up(&app, 5, named(1));
        super::assert_found(&app, &[("missing", &[&missing])]).await;
        assert_eq!((app.database.count("users"), app.database.count("pinned_instances")), (0, 0));
    }
}
