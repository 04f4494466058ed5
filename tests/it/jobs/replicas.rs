//! Several replicas: a job is handed over, runs in one place only, and waits where none has workers;
//! and a job that is cancelled ends everywhere.

use super::fixture::{JobFixture, PAGE, USERS, all_new, counted};
use crate::support::{until_true, until_within};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Well before a lease ends.
const AT_ONCE: Duration = Duration::from_secs(10);

both_engines! {
    async fn a_replica_that_stops_in_order_hands_its_job_over_at_once(engine) {
        let fixture = JobFixture::of(engine, USERS);
        fixture.pages.open(2);
        let mut stopping = fixture.service().await;
        let id = stopping.start_backfill().await;
        fixture.until_seen(2 * PAGE).await;
        fixture.pages.until_asked(3).await;
        let heir = fixture.service().await;
        let (asked, place) = (fixture.pages.asked().len(), fixture.last_seen(&heir, &id).await);
        stopping.terminate();
        until_within(AT_ONCE, "another replica is at it", async || {
            heir.log().contains("the job runs here").then_some(())
        })
        .await;
        assert_eq!(stopping.ended().await.code(), Some(0));
        assert!(stopping.log().contains("the job is left to others"), "{}", stopping.log());
        fixture.pages.open_all();
        let job = heir.job_in_state(&id, "succeeded").await;
        assert_eq!(counted(&job), all_new(USERS));
        assert_eq!((fixture.pages.asked()[asked].as_str(), fixture.pages.repeated()), (&*place, 1));
        fixture.assert_complete();
    }

    async fn a_job_runs_in_one_of_many_replicas_only(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let replicas = fixture.replicas(3, &[]).await;
        for kind in ["backfill", "reconcile"] {
            let asked = fixture.pages.asked().len();
            let asking = &replicas[2];
            let job = asking.finish_job(json!({"kind": kind})).await;
            assert_eq!(job["counters"]["seen"], USERS);
            // Three full pages, one in part, and an empty one.
            assert_eq!(fixture.pages.asked().len() - asked, 5, "{:?}", fixture.pages.asked());
        }
        assert_eq!(fixture.jobs("fence"), [Some("1".into()), Some("1".into())]);
        fixture.assert_complete();
    }

    async fn jobs_of_two_kinds_bring_the_same_users_in_together(engine) {
        let fixture = JobFixture::of(engine, USERS);
        fixture.pages.open(0);
        let replicas = fixture.replicas(2, &[]).await;
        let backfill = replicas[0].start_backfill().await;
        let reconcile = replicas[1].start_job(json!({"kind": "reconcile"})).await;
        replicas[0].job_in_state(&reconcile, "running").await;
        replicas[0].job_in_state(&backfill, "running").await;
        fixture.pages.open_all();
        let mut created = 0;
        for id in [backfill, reconcile] {
            let job = replicas[0].job_in_state(&id, "succeeded").await;
            let count = |name: &str| job["counters"][name].as_u64().unwrap();
            assert_eq!((count("seen"), count("created") + count("unchanged")), (1_600, 1_600), "{job}");
            created += count("created");
        }
        assert_eq!(created, 1_600);
        fixture.assert_complete();
    }

    async fn without_workers_a_job_waits_until_another_process_takes_it(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let idle = fixture.replica(&[("USERSYNC_WORKERS", "off")]).await;
        let id = idle.start_backfill().await;
        assert_eq!(idle.ask(Method::POST, "/v1/jobs", Some(json!({"kind": "backfill"}))).await.code(), "job_active");
        assert_eq!((idle.job(&id).await["state"].as_str(), fixture.emulator.counts().all_requests()), (Some("queued"), 0));
        let job = fixture.run_backfill().await;
        assert_eq!((job["id"].as_str(), counted(&job)), (Some(&*id), all_new(USERS)));
        let shown = idle.job(&id).await;
        assert_eq!((&shown["state"], fixture.job("fence").as_deref()), (&json!("succeeded"), Some("1")));
        fixture.assert_complete();
    }

    async fn a_queued_job_that_is_cancelled_never_begins(engine) {
        let fixture = JobFixture::of(engine, 2);
        let idle = fixture.replica(&[("USERSYNC_WORKERS", "off")]).await;
        let id = idle.start_backfill().await;
        let cancelled = idle.cancel_job(&id).await;
        assert_eq!(cancelled.status, 200);
        assert_eq!(cancelled.headers["cache-control"], "no-store");
        let job = cancelled.body;
        assert_eq!((&job["state"], &job["started_at"], &job["error"]), (&json!("cancelled"), &Value::Null, &Value::Null));
        assert!(job["finished_at"].is_string());
        let again = idle.cancel_job(&id).await;
        assert_eq!((again.status.as_u16(), &again.body), (200, &job));
        // A replica that looks for jobs passes it over.
        let app = fixture.replica(&[]).await;
        let next = app.finish_job(json!({"kind": "backfill"})).await;
        assert_eq!(counted(&next), all_new(2));
        assert_eq!(app.job(&id).await, job);
    }

    async fn a_running_job_that_is_cancelled_does_nothing_more(engine) {
        let fixture = JobFixture::of(engine, USERS);
        fixture.pages.open(1);
        let app = fixture.replica(&[]).await;
        let id = app.start_backfill().await;
        fixture.until_second_page().await;
        let cancelled = app.cancel_job(&id).await.body;
        assert_eq!((&cancelled["state"], &counted(&cancelled)), (&json!("cancelled"), &all_new(PAGE)));
        let rows = fixture.rows();
        // The page for which it waited comes all the same, and is dropped.
        fixture.pages.open(2);
        // A new one may be requested at once, and starts over once the old one is released.
        let next = app.start_job(json!({"kind": "backfill", "dry_run": true})).await;
        let dry = app.job_in_state(&next, "succeeded");
        let open = async {
            until_true("the new one asks", async || {
                let asked = fixture.pages.asked();
                asked.iter().filter(|place| place.is_empty()).count() == 2
            })
            .await;
            fixture.pages.open_all();
        };
        let (dry, ()) = tokio::join!(dry, open);
        let missing = USERS - PAGE;
        assert_eq!(counted(&dry), json!({"seen": USERS, "unchanged": PAGE, "created": missing, "missing": missing}));
        assert_eq!(app.job(&id).await, cancelled);
        assert_eq!(fixture.database.count("users"), PAGE);
        assert!(fixture.rows() == rows, "something was written after the end");
    }

    async fn a_job_that_ended_stays_what_it_is(engine) {
        let (fixture, app) = JobFixture::with_replica(engine, 2).await;
        let succeeded = app.finish_job(json!({"kind": "backfill"})).await;
        let id = succeeded["id"].as_str().unwrap();
        for _ in 0..2 {
            let answer = app.cancel_job(id).await;
            assert_eq!((answer.status.as_u16(), &answer.body), (200, &succeeded));
        }
        assert_eq!(app.job(id).await, succeeded);
        app.stop().await;
        let app = fixture.replica(&[("CLERK_INSTANCE_ID", "ins_another")]).await;
        let id = app.start_backfill().await;
        let failed = app.job_in_state(&id, "failed").await;
        assert_eq!(app.cancel_job(&id).await.body, failed);
    }
}
