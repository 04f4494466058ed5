//! Cancelling: a job that has not ended ends, and one that has stays as it is.

use super::fixture::{PAGE, Scene, USERS, WITHIN, all_new, counted};
use crate::both_engines;
use crate::support::until;
use serde_json::{Value, json};

both_engines! {
    async fn a_queued_job_that_is_cancelled_never_begins(engine) {
        let scene = Scene::of(engine, 2);
        let (idle, asked) = scene.replica(&[("USERSYNC_WORKERS", "off")]).await;
        let id = asked.backfill().await;
        let cancelled = asked.cancel(&id).await;
        assert_eq!(cancelled.status, 200);
        assert_eq!(cancelled.headers["cache-control"], "no-store");
        let job = cancelled.body;
        assert_eq!((&job["state"], &job["started_at"], &job["error"]), (&json!("cancelled"), &Value::Null, &Value::Null));
        assert!(job["finished_at"].is_string());
        let again = asked.cancel(&id).await;
        assert_eq!((again.status.as_u16(), &again.body), (200, &job));
        // Whoever looks for jobs passes it over, and finds the next one.
        let (replica, operator) = scene.replica(&[]).await;
        let next = operator.done(json!({"kind": "backfill"})).await;
        assert_eq!(counted(&next), all_new(2));
        assert_eq!(operator.job(&id).await, job);
        for replica in [idle, replica] {
            replica.stop().await;
        }
    }

    async fn a_running_job_that_is_cancelled_does_nothing_more(engine) {
        let scene = Scene::of(engine, USERS);
        scene.pages.open(1);
        let (replica, operator) = scene.replica(&[]).await;
        let id = operator.backfill().await;
        scene.until_seen(PAGE).await;
        scene.pages.until_asked(2).await;
        let cancelled = operator.cancel(&id).await.body;
        assert_eq!((&cancelled["state"], &counted(&cancelled)), (&json!("cancelled"), &all_new(PAGE)));
        let rows = scene.rows();
        // The page for which it waited comes all the same, and is dropped.
        scene.pages.open(2);
        // A new one may be asked for at once, and begins anew once the old one is let go.
        let next = operator.start(json!({"kind": "backfill", "dry_run": true})).await;
        let dry = operator.until(&next, "succeeded");
        let open = async {
            until("the new one asks", WITHIN, async || {
                let asked = scene.pages.asked();
                (asked.iter().filter(|place| place.is_empty()).count() == 2).then_some(())
            })
            .await;
            scene.pages.open_all();
        };
        let (dry, ()) = tokio::join!(dry, open);
        let missing = USERS - PAGE;
        assert_eq!(counted(&dry), json!({"seen": USERS, "unchanged": PAGE, "created": missing, "missing": missing}));
        assert_eq!(operator.job(&id).await, cancelled);
        assert_eq!(scene.database.count("users"), PAGE);
        assert!(scene.rows() == rows, "something was written after the end");
        replica.stop().await;
    }

    async fn a_job_that_ended_stays_what_it_is(engine) {
        let scene = Scene::of(engine, 2);
        let (replica, operator) = scene.replica(&[]).await;
        let succeeded = operator.done(json!({"kind": "backfill"})).await;
        let id = succeeded["id"].as_str().unwrap();
        for _ in 0..2 {
            let answer = operator.cancel(id).await;
            assert_eq!((answer.status.as_u16(), &answer.body), (200, &succeeded));
        }
        assert_eq!(operator.job(id).await, succeeded);
        replica.stop().await;
        let (replica, operator) = scene.replica(&[("CLERK_INSTANCE_ID", "ins_another")]).await;
        let id = operator.backfill().await;
        let failed = operator.until(&id, "failed").await;
        assert_eq!(operator.cancel(&id).await.body, failed);
        replica.stop().await;
    }
}
