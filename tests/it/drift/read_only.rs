//! A search changes nothing.

use super::{change, drift, in_step, job, named, sign_up};
use crate::both_engines;
use crate::support::{ADMIN_TOKEN, Emulated, NO_WRITE_BACK, deleted};
use clerk_emulator::{Emulator, Settings};
use serde_json::json;

/// All that the database holds, but for what a job notes of itself.
fn everything(both: &Emulated) -> Vec<String> {
    let dump = both.database.dump();
    let own =
        |line: &&str| !["jobs:", "job_candidates:"].iter().any(|table| line.starts_with(table));
    dump.lines().filter(own).map(str::to_owned).collect()
}

both_engines! {
    async fn a_search_leaves_table_outbox_pin_and_provider_as_they_are(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let ids: Vec<String> = (0..6).map(|number| sign_up(&both, 60, named(number))).collect();
        for id in &ids {
            assert_eq!(both.send(&both.event_of(id)).await.outcome(), "applied");
        }
        sign_up(&both, 5, named(9));
        change(&both, 5, &ids[0], "first_name", json!("Augusta"));
        assert!(both.emulator.delete_user(&ids[1]));
        change(&both, 5, &ids[2], "public_metadata", json!({"dbId": "another"}));
        assert_eq!(both.send(&deleted(&ids[3])).await.outcome(), "applied");
        both.set_here(&ids[4], json!({"role": "admin"})).await;
        let before = (everything(&both), both.emulator.users());
        for _ in 0..2 {
            // Here write-back is switched on.
            let run = drift(&both, &[]).await;
            assert_eq!(run.status, Some(1), "{run:?}");
            assert_eq!((everything(&both), both.emulator.users()), before);
        }
        assert_eq!(job(&both, "drift").await["state"], "succeeded");
        assert_eq!((everything(&both), both.emulator.users()), before);
        assert_eq!(both.database.count("pinned_instances"), 0);
        assert_eq!(both.database.count("job_candidates"), 0);
        let counts = both.emulator.counts();
        assert_eq!(counts.requests_of("metadata_patch") + counts.requests_of("update"), 0);
    }

    async fn trap_24_a_key_of_another_instance_finds_no_drift(engine) {
        let (first, _) = in_step(engine, 3).await;
        let settings = Settings { instance_id: "ins_other".into(), users: 5, ..Settings::default() };
        let other = Emulator::start(settings).unwrap();
        let database = first.app.stop().await;
        let second = Emulated::start_hearing_on(database, other, &[NO_WRITE_BACK]).await;
        let run = drift(&second, &[]).await;
        assert_eq!(run.status, Some(1), "{run:?}");
        assert!(run.stderr.contains("wrong_instance"), "{run:?}");
        assert_eq!(second.get_as(ADMIN_TOKEN, "/v1/drift").await.code(), "no_drift_report");
        assert_eq!(second.emulator.counts().requests_of("list"), 0);
    }

    async fn a_table_that_nobody_proved_yet_is_compared_and_stays_unproven(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let missing = sign_up(&both, 5, named(1));
        super::assert_found(&both, &[("missing", &[&missing])]).await;
        assert_eq!((both.database.count("users"), both.database.count("pinned_instances")), (0, 0));
    }
}
