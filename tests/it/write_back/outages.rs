//! The provider's API is away, refuses the key, or belongs to another instance.

use super::with_settled_user;
use crate::support::{Blocked, Engine, TestApp, TestDatabase, TestEmulator, event_of, until, user};
use clerk_emulator::{Faults, Outage};
use serde_json::json;
use std::time::{Duration, Instant};

/// Shorter than the ten seconds after which a call that is stuck is given up.
const WITHOUT_WAITING: Duration = Duration::from_secs(9);

both_engines! {
    async fn trap_27_a_stuck_api_slows_no_webhook_down(engine) {
        const USERS: usize = 40;
        let (app, proxy) = TestApp::builder(engine).emulated().start_behind_proxy().await;
        app.sign_up("Grace");
        app.quiet().await;
        app.emulator.deliver_to(None);
        for blocked in [Blocked::Everything, Blocked::WriteAnswers] {
            proxy.block(blocked);
            let users: Vec<_> = app.emulator.sign_up_many(USERS).iter().map(|id| app.emulator.user(id).unwrap()).collect();
            let mut slowest = Duration::ZERO;
            for user in &users {
                let began = Instant::now();
                assert_eq!(app.send(&event_of(user)).await.outcome(), "applied");
                slowest = slowest.max(began.elapsed());
            }
            proxy.until_held(8).await;
            assert!(slowest < WITHOUT_WAITING, "{slowest:?}");
            assert_eq!(app.outbox().len(), USERS, "all wait in the outbox");
            proxy.block(Blocked::Nothing);
            app.quiet().await;
        }
        let writes = app.emulator.issued_ids().iter().map(|id| app.emulator.metadata_writes(id)).sum::<usize>();
        assert_eq!(writes, 1 + 2 * USERS);
    }

    async fn an_outage_stops_no_client_and_everything_is_written_back_once_afterwards(engine) {
        let (app, known) = with_settled_user(engine, "Grace").await;
        assert_eq!(app.me(&known).await.status, 200);
        app.emulator.set_outage(Outage::Unavailable);
        let ids = app.emulator.sign_up_many(30);
        app.emulator.wait_until_idle().await;
        for id in &ids {
            assert_eq!(app.me(id).await.body["user"]["role"], "user");
        }
        let failed = async || app.emulator.counts().requests_of("metadata_patch").checked_sub(2);
        until("the worker tries", failed).await;
        assert_eq!(app.outbox().len(), 30);
        app.emulator.set_outage(Outage::None);
        app.quiet().await;
        for id in &ids {
            assert_eq!((app.emulator.metadata_writes(id), &app.metadata(id)["dbId"]), (1, &app.user(id).await["id"]));
        }
    }

    async fn a_refused_key_empties_no_row_and_work_goes_on_once_it_is_taken_again(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let service = TestApp::builder(&database).emulator(&emulator).start_process().await;
        emulator.deliver_to(Some(service.url.clone()));
        emulator.sign_up_many(3);
        emulator.wait_until_idle().await;
        database.until_none("write_backs").await;
        emulator.set_outage(Outage::Unauthorized);
        emulator.sign_up_many(10);
        emulator.wait_until_idle().await;
        service.logged("write-backs wait: the provider refuses the API key (401)").await;
        assert_eq!(database.count("users WHERE status = 'active'"), 13);
        emulator.set_outage(Outage::None);
        database.until_none("write_backs").await;
        assert_eq!(database.count("users WHERE source_role = 'user' AND status = 'active'"), 13);
        assert!(emulator.issued_ids().iter().all(|id| emulator.metadata_writes(id) == 1));
    }

    async fn a_key_of_another_instance_writes_nothing_back_and_is_said_to_be_wrong(engine) {
        let (right, id) = with_settled_user(engine, "Ada").await;
        let (database, right) = right.stop().await;
        let wrong = TestEmulator::of_instance("ins_another", 0);
        let service = TestApp::builder(&database).emulator(&wrong).start_process().await;
        right.update_user(&id, json!({"last_name": "Byron"})).unwrap();
        service.send(&user("user_new", 1_700_000_000_000)).await;
        service.logged("write-backs wait: wrong_instance").await;
        assert_eq!(wrong.counts().requests_of("metadata_patch") + wrong.counts().requests_of("get"), 0);
        assert_eq!(database.count("write_backs WHERE state = 'due'"), 1);
        assert_eq!(database.count("users WHERE status = 'active'"), 2);
    }

    /// A call whose answer is lost is followed by a `GET`, so that nothing is sent twice.
    async fn heavy_faults_cost_no_surplus_call(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        app.emulator.set_faults(Faults::Heavy);
        let ids = app.emulator.sign_up_many(12);
        app.emulator.wait_until_idle().await;
        app.emulator.set_faults(Faults::None);
        app.resync_or_take_over(&ids, false).await;
        app.emulator.set_faults(Faults::Heavy);
        for id in &ids {
            app.set_override(id, json!({"role": "admin"})).await;
        }
        app.quiet().await;
        for id in &ids {
            assert_eq!((app.override_and_source(id), &app.metadata(id)["role"]), ("- admin - -".into(), &json!("admin")));
            assert!(app.emulator.metadata_writes(id) <= 2, "one for the id, one for the role");
        }
    }
}

#[tokio::test]
async fn a_service_stops_while_the_key_cannot_be_proven() {
    crate::support::run(async {
        let (app, proxy) = TestApp::builder(Engine::Sqlite).emulated().start_behind_proxy().await;
        proxy.block(Blocked::Everything);
        app.sign_up("Ada");
        app.emulator.wait_until_idle().await;
        proxy.until_held(1).await;
        let began = Instant::now();
        app.stop().await;
        assert!(began.elapsed() < WITHOUT_WAITING, "{:?}", began.elapsed());
    })
    .await;
}
