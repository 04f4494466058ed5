//! Who may read the report, and what it holds.

use super::{assert_found, assert_reported, change, drift, in_step, job, named, reported, sign_up};
use crate::support::{ADMIN_TOKEN, Blocked, READ_TOKEN, TestApp};
use serde_json::{Value, json};

/// Stands in every name and address.
const MARK: &str = "Personalword";

const REPORTED_AT: &str = "usersync_drift_reported_timestamp_seconds";

both_engines! {
    async fn before_the_first_search_there_is_no_report(engine) {
        let (app, _) = in_step(engine, 1).await;
        app.get_as(ADMIN_TOKEN, "/v1/drift").await.assert_problem(404, "no_drift_report");
        assert_eq!(app.metric(REPORTED_AT).await, 0);
        assert_found(&app, &[]).await;
        assert!(app.metric(REPORTED_AT).await > 1_700_000_000);
    }

    async fn the_report_is_for_operators(engine) {
        let (app, _) = in_step(engine, 1).await;
        assert_eq!(app.get("/v1/drift").await.status, 401);
        assert_eq!(app.get_as(READ_TOKEN, "/v1/drift").await.status, 403);
    }

    async fn the_service_searches_as_the_program_does(engine) {
        let (app, ids) = in_step(engine, 3).await;
        change(&app, 5, &ids[0], "first_name", json!("Augusta"));
        let missing = sign_up(&app, 5, named(9));
        let expected: [(&str, &[&String]); 2] = [("stale", &[&ids[0]]), ("missing", &[&missing])];
        let job = job(&app, "drift").await;
        assert_eq!((&job["kind"], &job["state"], &job["dry_run"]), (&json!("drift"), &json!("succeeded"), &json!(true)));
        assert_reported(&job["drift"], &expected);
        let report = reported(&app).await;
        assert_reported(&report, &expected);
        assert_eq!((&report["job_id"], &report["started_at"], &report["finished_at"]), (&job["id"], &job["started_at"], &job["finished_at"]));
        assert_eq!(app.metric("usersync_jobs_total{kind=\"drift\",state=\"succeeded\"}").await, 1);
        let run = drift(&app, &["--json"]).await;
        assert_eq!(run.status, Some(1), "{run:?}");
        assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
        let printed: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&printed["kind"], &printed["state"]), (&json!("drift"), &json!("succeeded")));
        assert_eq!(printed["drift"], job["drift"]);
        assert_eq!(reported(&app).await["job_id"], printed["id"]);
    }

    async fn a_clean_table_is_reported_as_json_with_success(engine) {
        let (app, _) = in_step(engine, 3).await;
        let run = drift(&app, &["--json"]).await;
        assert_eq!(run.status, Some(0), "{run:?}");
        let printed: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_reported(&printed["drift"], &[]);
        assert_eq!((&printed["drift"]["seen"], &printed["drift"]["failed"]), (&json!(3), &json!(0)));
    }

    async fn the_last_report_stays_until_the_next_one_is_made(engine) {
        let (app, proxy) = TestApp::builder(engine).manual_events().no_write_back().start_behind_proxy().await;
        let missing = sign_up(&app, 5, named(1));
        let first = job(&app, "drift").await;
        assert_eq!(job(&app, "backfill").await["state"], "succeeded");
        proxy.block(Blocked::LaterPages);
        let id = app.start_job(json!({"kind": "drift"})).await;
        proxy.until_held(1).await;
        let report = reported(&app).await;
        assert_eq!(report["job_id"], first["id"]);
        assert_reported(&report, &[("missing", &[&missing])]);
        assert_eq!(app.metric("usersync_drift{drift_kind=\"missing\"}").await, 1);
        // A search that was cancelled does not replace it.
        let answer = app.cancel_job(&id).await;
        assert_eq!(answer.body["state"], "cancelled", "{answer:?}");
        proxy.block(Blocked::Nothing);
        assert_eq!(reported(&app).await["job_id"], first["id"]);
        let last = job(&app, "drift").await;
        let report = reported(&app).await;
        assert_eq!(report["job_id"], last["id"]);
        assert_reported(&report, &[]);
        assert_eq!(app.metric("usersync_drift{drift_kind=\"missing\"}").await, 0);
    }

    async fn a_hundred_ids_are_reported_and_all_are_counted(engine) {
        let (app, _) = in_step(engine, 2).await;
        let missing: Vec<String> = (0..120).map(|number| sign_up(&app, 5, named(number))).collect();
        let run = drift(&app, &[]).await;
        assert_eq!(run.status, Some(1), "{run:?}");
        assert!(run.stdout.contains("and 110 more"), "{run:?}");
        assert_eq!(run.stdout.matches("user_").count(), 10, "{run:?}");
        let report = reported(&app).await;
        assert_eq!(report["missing"]["count"], 120);
        let ids = report["missing"]["ids"].as_array().unwrap();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| missing.iter().any(|missing| id == missing)));
        assert_eq!(app.metric("usersync_drift{drift_kind=\"missing\"}").await, 120);
    }

    async fn neither_report_nor_notes_hold_personal_data(engine) {
        let (app, proxy) = TestApp::builder(engine).manual_events().no_write_back().start_behind_proxy().await;
        for number in 0..3 {
            let address = format!("{MARK}{number}@example.org");
            sign_up(&app, 5, json!({"first_name": MARK, "email_address": [address], "public_metadata": {"role": MARK}}));
        }
        proxy.block(Blocked::LaterPages);
        let id = app.start_job(json!({"kind": "drift"})).await;
        app.database.until_count("job_candidates", 3).await;
        let during = app.database.dump();
        proxy.block(Blocked::Nothing);
        let job = app.ended_job(&id).await;
        let run = drift(&app, &[]).await;
        let metrics = app.metrics().await;
        for text in [during, app.database.dump(), job.to_string(), reported(&app).await.to_string(), format!("{run:?}"), metrics] {
            for word in [MARK, "personalword", "example.org"] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
        assert_eq!(app.database.count("job_candidates"), 0);
    }
}
