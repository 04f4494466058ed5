//! Several replicas: a job is handed over, runs in one place only, and waits where nobody works.

use super::fixture::{PAGE, Scene, USERS, WITHIN, all_new, counted};
use super::operator::Operator;
use crate::both_engines;
use crate::support::until;
use serde_json::{Value, json};
use std::time::Duration;

/// Well before a lease ends.
const AT_ONCE: Duration = Duration::from_secs(10);

both_engines! {
    async fn a_replica_that_stops_in_order_hands_its_job_over_at_once(engine) {
        let scene = Scene::of(engine, USERS);
        scene.pages.open(2);
        let mut stopping = scene.service().await;
        let id = Operator::of(&stopping.origin()).backfill().await;
        scene.until_seen(2 * PAGE).await;
        scene.pages.until_asked(3).await;
        let heir = scene.service().await;
        let (asked, place) = (scene.pages.asked().len(), Operator::of(&heir.origin()).place(&id).await);
        stopping.terminate();
        until("another replica is at it", AT_ONCE, async || {
            heir.log().contains("the job runs here").then_some(())
        })
        .await;
        assert_eq!(stopping.ended(WITHIN).await.code(), Some(0));
        assert!(stopping.log().contains("the job is left to others"), "{}", stopping.log());
        scene.pages.open_all();
        let job = Operator::of(&heir.origin()).until(&id, "succeeded").await;
        assert_eq!(counted(&job), all_new(USERS));
        assert_eq!((scene.pages.asked()[asked].as_str(), scene.pages.repeated()), (&*place, 1));
        scene.assert_complete();
    }

    async fn a_job_runs_in_one_of_many_replicas_only(engine) {
        let scene = Scene::of(engine, USERS);
        let replicas = scene.replicas(3, &[]).await;
        for kind in ["backfill", "reconcile"] {
            let asked = scene.pages.asked().len();
            let asking = Operator::of(&replicas[2].origin);
            let job = asking.done(json!({"kind": kind})).await;
            assert_eq!(job["counters"]["seen"], USERS);
            // Three full pages, one in part, and an empty one.
            assert_eq!(scene.pages.asked().len() - asked, 5, "{:?}", scene.pages.asked());
        }
        assert_eq!(scene.jobs("fence"), [Some("1".into()), Some("1".into())]);
        scene.assert_complete();
        for replica in replicas {
            replica.stop().await;
        }
    }

    async fn jobs_of_two_kinds_bring_the_same_users_in_together(engine) {
        let scene = Scene::of(engine, USERS);
        scene.pages.open(0);
        let replicas = scene.replicas(2, &[]).await;
        let operators: Vec<Operator> = replicas.iter().map(|replica| Operator::of(&replica.origin)).collect();
        let backfill = operators[0].backfill().await;
        let reconcile = operators[1].start(json!({"kind": "reconcile"})).await;
        operators[0].until(&reconcile, "running").await;
        operators[0].until(&backfill, "running").await;
        scene.pages.open_all();
        let mut created = 0;
        for id in [backfill, reconcile] {
            let job = operators[0].until(&id, "succeeded").await;
            let count = |name: &str| job["counters"][name].as_u64().unwrap();
            assert_eq!((count("seen"), count("created") + count("unchanged")), (1_600, 1_600), "{job}");
            created += count("created");
        }
        assert_eq!(created, 1_600);
        scene.assert_complete();
        for replica in replicas {
            replica.stop().await;
        }
    }

    async fn without_workers_a_job_waits_until_somebody_else_takes_it(engine) {
        let scene = Scene::of(engine, USERS);
        let (idle, operator) = scene.replica(&[("USERSYNC_WORKERS", "off")]).await;
        let id = operator.backfill().await;
        assert_eq!(operator.post(json!({"kind": "backfill"})).await.code(), "job_active");
        assert_eq!((operator.job(&id).await["state"].as_str(), scene.emulator.counts().all_requests()), (Some("queued"), 0));
        let run = scene.run(&["backfill", "--json"]).await;
        assert_eq!(run.status, Some(0), "{run:?}");
        let job: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((job["id"].as_str(), counted(&job)), (Some(&*id), all_new(USERS)));
        let shown = operator.job(&id).await;
        assert_eq!((&shown["state"], scene.job("fence").as_deref()), (&json!("succeeded"), Some("1")));
        scene.assert_complete();
        idle.stop().await;
    }
}
