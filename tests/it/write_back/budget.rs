//! No more requests than allowed, over all replicas.

use crate::support::{Engine, Proxy, TestApp, TestDatabase, TestEmulator, configuration, event_of};
use serde_json::json;
use std::time::{Duration, Instant};
use usersync::store::Store;

const BUDGET: usize = 20;
const WINDOW: Duration = Duration::from_secs(10);

both_engines! {
    async fn what_is_given_out_is_the_budget_and_no_more(engine) {
        let database = TestDatabase::new(engine);
        let store = Store::new(&configuration(&database, &[]).database);
        store.migrate().unwrap();
        let (began, mut given) = (Instant::now(), 0);
        for _ in 0..12 {
            given += store.lease_budget("clerk", 3, 16).await.unwrap().requests;
        }
        assert_eq!(given, 16);
        let person = store.lease_budget("clerk", 3, 20).await.unwrap();
        assert_eq!(person.requests, 3, "there is more for who is more urgent");
        let late = store.lease_budget("clerk", 3, 16).await.unwrap();
        assert_eq!(late.requests, 0);
        assert!(late.valid_for + began.elapsed() > WINDOW / 2, "until the oldest are forgotten: {late:?}");
        database.execute("UPDATE api_budgets SET slot = slot - 22");
        assert_eq!(store.lease_budget("clerk", 3, 16).await.unwrap().requests, 3);
        database.execute("UPDATE api_budgets SET slot = slot + 7200, taken = 20");
        let back = store.lease_budget("clerk", 3, 16).await.unwrap();
        assert_eq!(back.requests, 3, "a clock that was set back blocks nobody");
    }
}

/// Workers may spend four fifths; the rest is for sign-ins.
#[tokio::test]
async fn trap_37_two_replicas_never_exceed_the_budget_and_people_go_first() {
    const USERS: usize = 22;
    let (database, emulator) = (TestDatabase::new(Engine::Postgres), TestEmulator::start());
    let proxy = Proxy::to(&emulator);
    let budget = [("USERSYNC_API_BUDGET", &*BUDGET.to_string())];
    let builder = TestApp::builder(&database).emulator(&emulator).behind(&proxy);
    let replicas = builder.variables(&budget).start_many(2).await;
    for number in 0..USERS {
        let user = emulator.create_user(json!({"first_name": format!("User{number}")}));
        let sender = &replicas[number % 2].client;
        assert_eq!(sender.send(&event_of(&user)).await.outcome(), "applied");
    }
    proxy.until_arrived(BUDGET * 4 / 5).await;
    let person = emulator.create_user(json!({"first_name": "Ada"}));
    let token = emulator.session_token(person["id"].as_str().unwrap());
    assert_eq!(replicas[0].get_as(&token, "/v1/me").await.status, 200);
    // Within the window of the first call only that sign-in got through.
    let arrivals = proxy.arrivals();
    let first_window = arrivals.iter().filter(|at| **at < arrivals[0] + WINDOW);
    assert_eq!(first_window.count(), BUDGET * 4 / 5 + 1);
    database.until_none("write_backs").await;
    let came = proxy.arrivals();
    let fullest = came
        .iter()
        .map(|from| came.iter().filter(|at| **at >= *from && **at < *from + WINDOW).count());
    assert!(fullest.max().unwrap() <= BUDGET, "{came:?}");
    assert_eq!(emulator.counts().requests_of("metadata_patch"), u64::try_from(USERS + 1).unwrap());
}
