//! The provider's API is away, refuses the key, or belongs to another instance.

use crate::both_engines;
use crate::support::{
    Blocked, Emulated, Engine, Service, TestDatabase, emulator, event_of, provider_variables,
    until, user,
};
use clerk_emulator::{Emulator, Faults, Outage, Settings};
use serde_json::json;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(60);

/// Signs users up and returns their ids.
fn crowd(emulator: &Emulator, count: usize) -> Vec<String> {
    let sign_up = |number| emulator.create_user(json!({"first_name": format!("User{number}")}));
    (0..count).map(|number| sign_up(number)["id"].as_str().unwrap().to_owned()).collect()
}

async fn service(database: &TestDatabase, emulator: &Emulator) -> Service {
    let own = provider_variables(emulator);
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
    Service::start_with(database, &own).await
}

async fn until_logged(service: &Service, text: &str) {
    until(text, WITHIN, async || service.log().contains(text).then_some(())).await;
}

both_engines! {
    async fn trap_27_a_stuck_api_slows_no_webhook_down(engine) {
        const USERS: usize = 40;
        let (both, relay) = Emulated::start_behind_relay(engine, &[]).await;
        both.sign_up("Grace");
        both.quiet().await;
        both.emulator.deliver_to(None);
        for blocked in [Blocked::Everything, Blocked::WriteAnswers] {
            relay.block(blocked);
            let users: Vec<_> = crowd(&both.emulator, USERS).iter().map(|id| both.emulator.user(id).unwrap()).collect();
            let mut slowest = Duration::ZERO;
            for user in &users {
                let began = Instant::now();
                assert_eq!(both.send(&event_of(user)).await.outcome(), "applied");
                slowest = slowest.max(began.elapsed());
            }
            relay.until_held(8).await;
            // A call that is stuck is given up after ten seconds.
            assert!(slowest < Duration::from_secs(2), "{slowest:?}");
            assert_eq!(both.outbox().len(), USERS, "all wait in the outbox");
            relay.block(Blocked::Nothing);
            both.quiet().await;
        }
        let writes = both.emulator.issued_ids().iter().map(|id| both.emulator.metadata_writes(id)).sum::<usize>();
        assert_eq!(writes, 1 + 2 * USERS);
    }

    async fn an_outage_stops_nobody_and_everything_is_told_once_afterwards(engine) {
        let both = Emulated::start(engine).await;
        let known = both.sign_up("Grace");
        both.quiet().await;
        assert_eq!(both.me(&known).await.status, 200);
        both.emulator.set_outage(Outage::Unavailable);
        let ids = crowd(&both.emulator, 30);
        both.emulator.settled().await;
        for id in &ids {
            assert_eq!(both.me(id).await.body["user"]["role"], "user");
        }
        let failed = async || both.emulator.counts().requests_of("metadata_patch").checked_sub(2);
        until("the worker tries", WITHIN, failed).await;
        assert_eq!(both.outbox().len(), 30);
        both.emulator.set_outage(Outage::None);
        both.quiet().await;
        for id in &ids {
            assert_eq!((both.emulator.metadata_writes(id), &both.metadata(id)["dbId"]), (1, &both.user(id).await["id"]));
        }
    }

    async fn a_refused_key_empties_nobody_and_work_goes_on_once_it_is_taken_again(engine) {
        let (database, emulator) = (TestDatabase::new(engine), emulator());
        let service = service(&database, &emulator).await;
        emulator.deliver_to(Some(service.sender().url));
        crowd(&emulator, 3);
        emulator.settled().await;
        drained(&database).await;
        emulator.set_outage(Outage::Unauthorized);
        crowd(&emulator, 10);
        emulator.settled().await;
        until_logged(&service, "write-backs wait: the provider refuses the API key (401)").await;
        assert_eq!(database.count("users WHERE status = 'active'"), 13);
        emulator.set_outage(Outage::None);
        drained(&database).await;
        assert_eq!(database.count("users WHERE source_role = 'user' AND status = 'active'"), 13);
        assert!(emulator.issued_ids().iter().all(|id| emulator.metadata_writes(id) == 1));
    }

    async fn a_key_of_another_instance_writes_nothing_back_and_is_said_to_be_wrong(engine) {
        let right = Emulated::start(engine).await;
        let id = right.sign_up("Ada");
        right.quiet().await;
        let (database, right) = right.stop().await;
        let settings = Settings { instance_id: "ins_another".into(), ..Settings::default() };
        let wrong = Emulator::start(settings).unwrap();
        let service = service(&database, &wrong).await;
        right.update_user(&id, json!({"last_name": "Byron"})).unwrap();
        service.sender().send(&user("user_new", 1_700_000_000_000)).await;
        until_logged(&service, "write-backs wait: wrong_instance").await;
        assert_eq!(wrong.counts().requests_of("metadata_patch") + wrong.counts().requests_of("get"), 0);
        assert_eq!(database.count("write_backs WHERE state = 'due'"), 1);
        assert_eq!(database.count("users WHERE status = 'active'"), 2);
    }

    /// A call whose answer is lost is followed by a look, so that nothing is sent twice.
    async fn heavy_faults_cost_no_surplus_call(engine) {
        let both = Emulated::start(engine).await;
        both.emulator.set_faults(Faults::Heavy);
        let ids = crowd(&both.emulator, 12);
        both.emulator.settled().await;
        both.emulator.set_faults(Faults::None);
        both.fetch_anew(&ids, false).await;
        both.emulator.set_faults(Faults::Heavy);
        for id in &ids {
            both.set_here(id, json!({"role": "admin"})).await;
        }
        both.quiet().await;
        for id in &ids {
            assert_eq!((both.chosen_and_shown(id), &both.metadata(id)["role"]), ("- admin - -".into(), &json!("admin")));
            assert!(both.emulator.metadata_writes(id) <= 2, "one for the id, one for the role");
        }
    }
}

async fn drained(database: &TestDatabase) {
    until("all is written back", WITHIN, async || {
        (database.count("write_backs") == 0).then_some(())
    })
    .await;
}

/// Stopping does not wait for a proof that cannot be had.
#[tokio::test]
async fn a_service_stops_while_the_key_cannot_be_proven() {
    let (both, relay) = Emulated::start_behind_relay(Engine::Sqlite, &[]).await;
    relay.block(Blocked::Everything);
    both.sign_up("Ada");
    both.emulator.settled().await;
    relay.until_held(1).await;
    let began = Instant::now();
    both.stop().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
