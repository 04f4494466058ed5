//! A job waits for a provider, or a database, that is away, and goes on when it is back.

use super::fixture::{JobFixture, PAGE, USERS, all_new, counted};
use crate::support::{Cluster, TestDatabase, TestEmulator, until_true};
use clerk_emulator::{Faults, Outage};
use serde_json::Value;

fn object(said: &str) -> Value {
    let found = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut objects = found.filter(|object| object["counters"].is_object());
    objects.next().unwrap_or_else(|| panic!("no job in {said}"))
}

both_engines! {
    async fn an_api_that_is_away_is_waited_for(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let (replica, id) = fixture.service_at_second_page().await;
        fixture.emulator.set_outage(Outage::Unavailable);
        fixture.pages.open_all();
        // The client's own patience comes first.
        let waits = "a job waits: the provider is unavailable";
        replica.logged(waits).await;
        let waiting = replica.job(&id).await;
        assert_eq!((&waiting["state"], counted(&waiting)), (&"running".into(), all_new(PAGE)));
        fixture.emulator.set_outage(Outage::None);
        fixture.assert_done(&replica.job_in_state(&id, "succeeded").await, "1");
    }

    async fn an_api_that_is_away_from_the_start_is_waited_for(engine) {
        let fixture = JobFixture::of(engine, 5);
        fixture.emulator.set_outage(Outage::Unavailable);
        let (_program, running) = fixture.start(&["backfill", "--json"]);
        until_true("it is tried again", async || {
            fixture.emulator.counts().all_requests() >= 3
        })
        .await;
        fixture.emulator.set_outage(Outage::None);
        let (status, said) = running.ended();
        let job = object(&said);
        assert_eq!((status, counted(&job)), (Some(0), all_new(5)), "{said}");
        fixture.assert_complete();
    }

    /// A key that is withdrawn in the middle of a job fails it: waiting would not help.
    async fn a_key_that_is_withdrawn_ends_the_job_and_what_it_did_stays(engine) {
        let fixture = JobFixture::of(engine, USERS);
        fixture.pages.open(1);
        let (_program, running) = fixture.start(&["backfill", "--json"]);
        fixture.until_second_page().await;
        fixture.emulator.set_outage(Outage::Unauthorized);
        fixture.pages.open_all();
        let (status, said) = running.ended();
        let job = object(&said);
        assert_eq!((status, &job["state"], counted(&job)), (Some(1), &"failed".into(), all_new(PAGE)), "{said}");
        assert!(job["error"].as_str().unwrap().contains("refuses the API key (401)"), "{said}");
        assert_eq!(fixture.database.count("users WHERE status = 'active'"), PAGE);
    }

    async fn heavy_faults_cost_time_and_no_user(engine) {
        let fixture = JobFixture::of(engine, USERS);
        fixture.emulator.set_faults(Faults::Heavy);
        assert_eq!(counted(&fixture.run_backfill().await), all_new(USERS));
        fixture.assert_complete();
    }
}

#[tokio::test]
async fn a_database_that_restarts_is_waited_for() {
    let cluster = Cluster::start();
    let emulator = TestEmulator::with_users(USERS);
    let pages = super::page_gate::PageGate::of(&emulator);
    let fixture = JobFixture { database: TestDatabase::on_server(&cluster.url), emulator, pages };
    fixture.pages.open(1);
    let (_program, running) = fixture.start(&["backfill", "--json"]);
    fixture.until_second_page().await;
    cluster.stop();
    fixture.pages.open(2);
    fixture.pages.until_asked(3).await;
    cluster.start_again();
    fixture.pages.open_all();
    let (status, said) = running.ended();
    let job = object(&said);
    assert_eq!((status, counted(&job)), (Some(0), all_new(USERS)), "{said}");
    fixture.assert_complete();
}
