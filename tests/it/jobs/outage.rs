//! A job waits for a provider, or a database, that is away, and goes on when it is back.

use super::fixture::{PAGE, Scene, USERS, WITHIN, all_new, counted};
use super::operator::Operator;
use crate::both_engines;
use crate::support::{Cluster, TestDatabase, until};
use clerk_emulator::{Emulator, Faults, Outage, Settings};
use serde_json::Value;

/// The object among the lines that were said.
fn object(said: &str) -> Value {
    let found = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut objects = found.filter(|object| object["counters"].is_object());
    objects.next().unwrap_or_else(|| panic!("no job in {said}"))
}

both_engines! {
    async fn an_api_that_is_away_is_waited_for(engine) {
        let scene = Scene::of(engine, USERS);
        scene.pages.open(1);
        let replica = scene.service().await;
        let operator = Operator::of(&replica.origin());
        let id = operator.backfill().await;
        scene.until_asked_and_seen().await;
        scene.emulator.set_outage(Outage::Unavailable);
        scene.pages.open_all();
        // The client's own patience comes first.
        let waits = "a job waits: the provider is unavailable";
        until(waits, WITHIN, async || replica.log().contains(waits).then_some(())).await;
        let waiting = operator.job(&id).await;
        assert_eq!((&waiting["state"], counted(&waiting)), (&"running".into(), all_new(PAGE)));
        scene.emulator.set_outage(Outage::None);
        let job = operator.until(&id, "succeeded").await;
        assert_eq!((counted(&job), scene.job("fence").as_deref()), (all_new(USERS), Some("1")));
        scene.assert_complete();
    }

    async fn an_api_that_is_away_from_the_start_is_waited_for(engine) {
        let scene = Scene::of(engine, 5);
        scene.emulator.set_outage(Outage::Unavailable);
        let (_program, running) = scene.start(&["backfill", "--json"]);
        until("it is tried again", WITHIN, async || {
            (scene.emulator.counts().all_requests() >= 3).then_some(())
        })
        .await;
        scene.emulator.set_outage(Outage::None);
        let (status, said) = running.ended();
        let job = object(&said);
        assert_eq!((status, counted(&job)), (Some(0), all_new(5)), "{said}");
        scene.assert_complete();
    }

    /// The key may be withdrawn in the midst of a job: there is no point in waiting then.
    async fn a_key_that_is_withdrawn_ends_the_job_and_what_it_did_stays(engine) {
        let scene = Scene::of(engine, USERS);
        scene.pages.open(1);
        let (_program, running) = scene.start(&["backfill", "--json"]);
        scene.until_asked_and_seen().await;
        scene.emulator.set_outage(Outage::Unauthorized);
        scene.pages.open_all();
        let (status, said) = running.ended();
        let job = object(&said);
        assert_eq!((status, &job["state"], counted(&job)), (Some(1), &"failed".into(), all_new(PAGE)), "{said}");
        assert!(job["error"].as_str().unwrap().contains("refuses the API key (401)"), "{said}");
        assert_eq!(scene.database.count("users WHERE status = 'active'"), PAGE);
    }

    async fn heavy_faults_cost_time_and_nobody(engine) {
        let scene = Scene::of(engine, USERS);
        scene.emulator.set_faults(Faults::Heavy);
        let run = scene.run(&["backfill", "--json"]).await;
        let job = object(&run.stdout);
        assert_eq!((run.status, counted(&job)), (Some(0), all_new(USERS)), "{run:?}");
        scene.assert_complete();
    }
}

impl Scene {
    async fn until_asked_and_seen(&self) {
        self.pages.until_asked(2).await;
        self.until_seen(PAGE).await;
    }
}

#[tokio::test]
async fn a_database_that_restarts_is_waited_for() {
    let cluster = Cluster::start();
    let emulator = Emulator::start(Settings { users: USERS, ..Settings::default() }).unwrap();
    let pages = super::page_gate::Pages::of(&emulator);
    let scene = Scene { database: TestDatabase::on_server(&cluster.url), emulator, pages };
    scene.pages.open(1);
    let (_program, running) = scene.start(&["backfill", "--json"]);
    scene.until_asked_and_seen().await;
    cluster.stop();
    scene.pages.open(2);
    scene.pages.until_asked(3).await;
    cluster.start_again();
    scene.pages.open_all();
    let (status, said) = running.ended();
    let job = object(&said);
    assert_eq!((status, counted(&job)), (Some(0), all_new(USERS)), "{said}");
    scene.assert_complete();
}
