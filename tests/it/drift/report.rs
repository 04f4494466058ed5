//! Who is told, and what.

use super::{
    ask_for, assert_found, assert_reported, change, drift, ended, in_step, job, named, reported,
    sign_up,
};
use crate::both_engines;
use crate::support::{ADMIN_TOKEN, Blocked, Emulated, NO_WRITE_BACK, READ_TOKEN, until};
use serde_json::{Value, json};

/// Stands in every name and address.
const MARK: &str = "Personalword";

/// When the last report was made, as the metrics say.
const REPORTED_AT: &str = "usersync_drift_reported_timestamp_seconds";

both_engines! {
    async fn before_the_first_search_there_is_no_report(engine) {
        let (both, _) = in_step(engine, 1).await;
        let answer = both.get_as(ADMIN_TOKEN, "/v1/drift").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "no_drift_report"));
        assert_eq!(both.metric(REPORTED_AT).await, 0);
        assert_found(&both, &[]).await;
        assert!(both.metric(REPORTED_AT).await > 1_700_000_000);
    }

    async fn the_report_is_for_operators(engine) {
        let (both, _) = in_step(engine, 1).await;
        assert_eq!(both.get("/v1/drift").await.status, 401);
        assert_eq!(both.get_as(READ_TOKEN, "/v1/drift").await.status, 403);
    }

    async fn the_service_searches_as_the_program_does(engine) {
        let (both, ids) = in_step(engine, 3).await;
        change(&both, 5, &ids[0], "first_name", json!("Augusta"));
        let missing = sign_up(&both, 5, named(9));
        let expected: [(&str, &[&String]); 2] = [("stale", &[&ids[0]]), ("missing", &[&missing])];
        let job = job(&both, "drift").await;
        assert_eq!((&job["kind"], &job["state"], &job["dry_run"]), (&json!("drift"), &json!("succeeded"), &json!(true)));
        assert_reported(&job["drift"], &expected);
        let report = reported(&both).await;
        assert_reported(&report, &expected);
        assert_eq!((&report["job_id"], &report["started_at"], &report["finished_at"]), (&job["id"], &job["started_at"], &job["finished_at"]));
        assert_eq!(both.metric("usersync_jobs_total{kind=\"drift\",state=\"succeeded\"}").await, 1);
        let run = drift(&both, &["--json"]).await;
        assert_eq!(run.status, Some(1), "{run:?}");
        assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&told["kind"], &told["state"]), (&json!("drift"), &json!("succeeded")));
        assert_eq!(told["drift"], job["drift"]);
        assert_eq!(reported(&both).await["job_id"], told["id"]);
    }

    async fn a_clean_table_is_told_to_machines_with_success(engine) {
        let (both, _) = in_step(engine, 3).await;
        let run = drift(&both, &["--json"]).await;
        assert_eq!(run.status, Some(0), "{run:?}");
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_reported(&told["drift"], &[]);
        assert_eq!((&told["drift"]["seen"], &told["drift"]["failed"]), (&json!(3), &json!(0)));
    }

    async fn the_last_report_stays_until_the_next_one_is_made(engine) {
        let (both, relay) = Emulated::start_behind_relay(engine, &[NO_WRITE_BACK]).await;
        both.emulator.deliver_to(None);
        let missing = sign_up(&both, 5, named(1));
        let first = job(&both, "drift").await;
        assert_eq!(job(&both, "backfill").await["state"], "succeeded");
        relay.block(Blocked::LaterPages);
        let location = ask_for(&both, "drift").await;
        relay.until_held(1).await;
        let report = reported(&both).await;
        assert_eq!(report["job_id"], first["id"]);
        assert_reported(&report, &[("missing", &[&missing])]);
        assert_eq!(both.metric("usersync_drift{drift_kind=\"missing\"}").await, 1);
        // Nor does a search take its place that came to nothing.
        let answer = both.ask(reqwest::Method::POST, &format!("{location}/cancel"), ADMIN_TOKEN, None).await;
        assert_eq!(answer.body["state"], "cancelled", "{answer:?}");
        relay.block(Blocked::Nothing);
        assert_eq!(reported(&both).await["job_id"], first["id"]);
        let last = job(&both, "drift").await;
        let report = reported(&both).await;
        assert_eq!(report["job_id"], last["id"]);
        assert_reported(&report, &[]);
        assert_eq!(both.metric("usersync_drift{drift_kind=\"missing\"}").await, 0);
    }

    async fn a_hundred_ids_are_told_and_all_are_counted(engine) {
        let (both, _) = in_step(engine, 2).await;
        let missing: Vec<String> = (0..120).map(|number| sign_up(&both, 5, named(number))).collect();
        let run = drift(&both, &[]).await;
        assert_eq!(run.status, Some(1), "{run:?}");
        assert!(run.stdout.contains("and 110 more"), "{run:?}");
        assert_eq!(run.stdout.matches("user_").count(), 10, "{run:?}");
        let report = reported(&both).await;
        assert_eq!(report["missing"]["count"], 120);
        let ids = report["missing"]["ids"].as_array().unwrap();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| missing.iter().any(|missing| id == missing)));
        assert_eq!(both.metric("usersync_drift{drift_kind=\"missing\"}").await, 120);
    }

    async fn neither_report_nor_notes_hold_personal_data(engine) {
        let (both, relay) = Emulated::start_behind_relay(engine, &[NO_WRITE_BACK]).await;
        both.emulator.deliver_to(None);
        for number in 0..3 {
            let address = format!("{MARK}{number}@example.org");
            sign_up(&both, 5, json!({"first_name": MARK, "email_address": [address], "public_metadata": {"role": MARK}}));
        }
        relay.block(Blocked::LaterPages);
        let location = ask_for(&both, "drift").await;
        until("the notes are there", super::WITHIN, async || {
            (both.database.count("job_candidates") == 3).then_some(())
        })
        .await;
        let during = both.database.dump();
        relay.block(Blocked::Nothing);
        let job = ended(&both, &location).await;
        let run = drift(&both, &[]).await;
        let metrics = both.metrics().await;
        for text in [during, both.database.dump(), job.to_string(), reported(&both).await.to_string(), format!("{run:?}"), metrics] {
            for word in [MARK, "personalword", "example.org"] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
        assert_eq!(both.database.count("job_candidates"), 0);
    }
}
