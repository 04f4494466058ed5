//! The command line while a job is running: it follows a job that a replica runs, and a signal ends
//! it with or without the job.

use super::fixture::{JobFixture, PAGE, USERS, all_new, counted};
use crate::support::{AppProcess, Engine, Program, Running};
use serde_json::Value;

/// The command, at a job of which one page is committed, and the job's id.
async fn under_way(fixture: &JobFixture) -> (Program, Running, String) {
    fixture.pages.open(1);
    let (program, mut running) = fixture.start(&["backfill"]);
    running.line_with("the job runs here");
    fixture.until_second_page().await;
    (program, running, fixture.job("id").unwrap())
}

async fn followed(
    engine: Engine,
    arguments: &[&str],
) -> (JobFixture, AppProcess, Program, Running, String) {
    let fixture = JobFixture::of(engine, USERS);
    let (replica, id) = fixture.service_at_second_page().await;
    let (program, running) = fixture.start(arguments);
    (fixture, replica, program, running, id)
}

both_engines! {
    async fn a_job_that_a_replica_is_at_is_followed_to_its_end(engine) {
        let (fixture, _replica, _program, mut running, id) = followed(engine, &["backfill"]).await;
        running.line_with(&format!("job {id} is run by another process; following it"));
        fixture.pages.open_all();
        let (status, said) = running.ended();
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains(&format!("backfill: {USERS} users compared")), "{said}");
        assert_eq!((fixture.database.count("jobs"), fixture.job("fence").as_deref()), (1, Some("1")));
        fixture.assert_complete();
    }

    async fn for_machines_a_followed_job_is_one_object_too(engine) {
        let (fixture, _replica, _program, mut running, id) = followed(engine, &["backfill", "--json"]).await;
        running.line_with("following it");
        fixture.pages.open_all();
        let (status, printed) = running.printed();
        let job: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!((status, job["id"].as_str(), counted(&job)), (Some(0), Some(&*id), all_new(USERS)));
    }

    async fn a_command_that_follows_a_job_takes_it_up_when_its_replica_dies(engine) {
        let (fixture, mut replica, _program, mut running, id) = followed(engine, &["backfill"]).await;
        running.line_with("following it");
        replica.kill();
        fixture.pages.open_all();
        let (status, said) = running.ended();
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("the job runs here") && said.contains(&format!("{USERS} users compared")), "{said}");
        assert_eq!((fixture.job("id"), fixture.job("fence").as_deref()), (Some(id), Some("2")));
        fixture.assert_complete();
    }

    async fn an_interrupted_command_leaves_the_followed_job_to_its_replica(engine) {
        let (fixture, replica, _program, mut running, id) = followed(engine, &["backfill"]).await;
        running.line_with("following it");
        let (status, said) = running.interrupt();
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(&format!("stopped; job {id} continues")), "{said}");
        fixture.pages.open_all();
        fixture.assert_done(&replica.job_in_state(&id, "succeeded").await, "1");
    }

    async fn ctrl_c_cancels_the_job(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let (_program, running, id) = under_way(&fixture).await;
        let (status, said) = running.interrupt();
        assert_eq!(status, Some(1), "{said}");
        let message = format!("job {id} is cancelled; what it did stays, and the next backfill begins from the start");
        assert!(said.contains(&message), "{said}");
        assert_eq!((fixture.job("state").as_deref(), fixture.seen()), (Some("cancelled"), 500));
        assert!(fixture.job("finished_at").is_some());
        assert_eq!(fixture.database.count("users"), PAGE);
        // No replica goes on with it; a new job finds what it did.
        fixture.pages.open_all();
        let job = fixture.run_backfill().await;
        assert_eq!((counted(&job)["created"].as_u64(), counted(&job)["unchanged"].as_u64()), (Some(1_100), Some(500)));
        assert_eq!(fixture.database.count("jobs"), 2);
    }

    async fn a_terminated_command_releases_its_job_at_once(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let (_program, running, id) = under_way(&fixture).await;
        let (status, said) = running.terminate();
        assert_eq!(status, Some(1), "{said}");
        let message = format!("stopped; job {id} continues where it was as soon as a service or `usersync backfill` resumes it");
        assert!(said.contains(&message), "{said}");
        assert_eq!((fixture.job("state").as_deref(), fixture.job("leased_until")), (Some("running"), None));
        let asked = fixture.pages.asked().len();
        fixture.pages.open_all();
        let replica = fixture.service().await;
        replica.logged("the job runs here").await;
        fixture.assert_done(&replica.job_in_state(&id, "succeeded").await, "3");
        assert_eq!((fixture.pages.asked()[asked].as_str(), fixture.pages.repeated()), (&*fixture.ids()[PAGE - 1], 1));
    }

    async fn a_job_that_is_cancelled_elsewhere_ends_the_command(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let idle = fixture.replica(&[("USERSYNC_WORKERS", "off")]).await;
        let (_program, running, id) = under_way(&fixture).await;
        assert_eq!(idle.cancel_job(&id).await.body["state"], "cancelled");
        idle.stop().await;
        let (status, said) = running.ended();
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(&format!("job {id} is cancelled")), "{said}");
        assert_eq!((fixture.seen(), fixture.database.count("users")), (500, PAGE));
    }
}
