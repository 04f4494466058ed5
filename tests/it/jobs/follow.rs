//! The command line while a job is under way: it follows one that a replica is at, and ends by a
//! signal as whoever sends it means it.

use super::fixture::{PAGE, Scene, USERS, WITHIN, all_new, counted};
use super::operator::Operator;
use crate::both_engines;
use crate::support::{Program, Running, Service, until};
use serde_json::Value;

/// The command, in the midst of a job of which one page is committed, and the job's id.
async fn under_way(scene: &Scene) -> (Program, Running, String) {
    scene.pages.open(1);
    let (program, mut running) = scene.start(&["backfill"]);
    running.line_with("the job runs here");
    scene.until_seen(PAGE).await;
    scene.pages.until_asked(2).await;
    (program, running, scene.job("id").unwrap())
}

/// A replica likewise, and the command that follows it.
async fn followed(scene: &Scene, arguments: &[&str]) -> (Service, Program, Running, String) {
    scene.pages.open(1);
    let replica = scene.service().await;
    let id = Operator::of(&replica.origin()).backfill().await;
    scene.until_seen(PAGE).await;
    scene.pages.until_asked(2).await;
    let (program, running) = scene.start(arguments);
    (replica, program, running, id)
}

both_engines! {
    async fn a_job_that_a_replica_is_at_is_followed_to_its_end(engine) {
        let scene = Scene::of(engine, USERS);
        let (_replica, _program, mut running, id) = followed(&scene, &["backfill"]).await;
        running.line_with(&format!("job {id} is under way elsewhere; following it"));
        scene.pages.open_all();
        let (status, said) = running.ended();
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains(&format!("backfill: {USERS} users compared")), "{said}");
        assert_eq!((scene.database.count("jobs"), scene.job("fence").as_deref()), (1, Some("1")));
        scene.assert_complete();
    }

    async fn for_machines_a_followed_job_is_one_object_too(engine) {
        let scene = Scene::of(engine, USERS);
        scene.pages.open(1);
        let replica = scene.service().await;
        let id = Operator::of(&replica.origin()).backfill().await;
        scene.until_seen(PAGE).await;
        let run = scene.run(&["backfill", "--json"]);
        let opening = async {
            scene.pages.until_asked(2).await;
            scene.pages.open_all();
        };
        let (run, ()) = tokio::join!(run, opening);
        let job: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.status, job["id"].as_str(), counted(&job)), (Some(0), Some(&*id), all_new(USERS)));
    }

    async fn whoever_follows_a_job_that_dies_takes_it_up(engine) {
        let scene = Scene::of(engine, USERS);
        let (mut replica, _program, mut running, id) = followed(&scene, &["backfill"]).await;
        running.line_with("following it");
        replica.kill();
        scene.pages.open_all();
        let (status, said) = running.ended();
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("the job runs here") && said.contains(&format!("{USERS} users compared")), "{said}");
        assert_eq!((scene.job("id"), scene.job("fence").as_deref()), (Some(id), Some("2")));
        scene.assert_complete();
    }

    async fn whoever_follows_a_job_leaves_it_to_the_replica(engine) {
        let scene = Scene::of(engine, USERS);
        let (replica, _program, mut running, id) = followed(&scene, &["backfill"]).await;
        running.line_with("following it");
        let (status, said) = running.interrupt();
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(&format!("stopped; job {id} goes on")), "{said}");
        scene.pages.open_all();
        let job = Operator::of(&replica.origin()).until(&id, "succeeded").await;
        assert_eq!((counted(&job), scene.job("fence").as_deref()), (all_new(USERS), Some("1")));
    }

    async fn ctrl_c_cancels_the_job(engine) {
        let scene = Scene::of(engine, USERS);
        let (_program, running, id) = under_way(&scene).await;
        let (status, said) = running.interrupt();
        assert_eq!(status, Some(1), "{said}");
        let told = format!("job {id} is cancelled; what it did stays, and the next backfill begins anew");
        assert!(said.contains(&told), "{said}");
        assert_eq!((scene.job("state").as_deref(), scene.seen()), (Some("cancelled"), 500));
        assert!(scene.job("finished_at").is_some());
        assert_eq!(scene.database.count("users"), PAGE);
        // Nobody goes on with it; a new one finds what it did.
        scene.pages.open_all();
        let run = scene.run(&["backfill", "--json"]).await;
        let job: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((counted(&job)["created"].as_u64(), counted(&job)["unchanged"].as_u64()), (Some(1_100), Some(500)));
        assert_eq!(scene.database.count("jobs"), 2);
    }

    async fn a_command_that_is_told_to_end_leaves_its_job_to_others_at_once(engine) {
        let scene = Scene::of(engine, USERS);
        let (_program, running, id) = under_way(&scene).await;
        let (status, said) = running.terminate();
        assert_eq!(status, Some(1), "{said}");
        let told = format!("stopped; job {id} goes on where it stood as soon as a service, or `usersync backfill`, takes it up");
        assert!(said.contains(&told), "{said}");
        assert_eq!((scene.job("state").as_deref(), scene.job("leased_until")), (Some("running"), None));
        let asked = scene.pages.asked().len();
        scene.pages.open_all();
        let replica = scene.service().await;
        until("a replica is at it", WITHIN, async || replica.log().contains("the job runs here").then_some(())).await;
        let job = Operator::of(&replica.origin()).until(&id, "succeeded").await;
        assert_eq!((counted(&job), scene.job("fence").as_deref()), (all_new(USERS), Some("3")));
        assert_eq!((scene.pages.asked()[asked].as_str(), scene.pages.repeated()), (&*scene.ids()[PAGE - 1], 1));
        scene.assert_complete();
    }

    async fn a_job_that_is_cancelled_elsewhere_ends_the_command(engine) {
        let scene = Scene::of(engine, USERS);
        let (idle, operator) = scene.replica(&[("USERSYNC_WORKERS", "off")]).await;
        let (_program, running, id) = under_way(&scene).await;
        assert_eq!(operator.cancel(&id).await.body["state"], "cancelled");
        idle.stop().await;
        let (status, said) = running.ended();
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(&format!("job {id} is cancelled")), "{said}");
        assert_eq!((scene.seen(), scene.database.count("users")), (500, PAGE));
    }
}
