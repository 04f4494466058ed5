//! Cancelling: a job that has not ended ends, and one that has stays as it is.

use super::fixture::{JobFixture, PAGE, USERS, all_new, counted};
use crate::support::until;
use serde_json::{Value, json};

both_engines! {
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
            until("the new one asks", async || {
                let asked = fixture.pages.asked();
                (asked.iter().filter(|place| place.is_empty()).count() == 2).then_some(())
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
