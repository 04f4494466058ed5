//! No more requests than may be, over all replicas.

use crate::both_engines;
use crate::support::{
    Engine, Relay, Replica, TestDatabase, configuration, emulator, event_of, provider_variables,
    until,
};
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
        let mut given = 0;
        for _ in 0..12 {
            given += store.lease_budget("clerk", 3, 16).await.unwrap().requests;
        }
        assert_eq!(given, 16);
        let person = store.lease_budget("clerk", 3, 20).await.unwrap();
        assert_eq!(person.requests, 3, "there is more for who is more urgent");
        let late = store.lease_budget("clerk", 3, 16).await.unwrap();
        assert_eq!(late.requests, 0);
        assert!(late.valid_for > Duration::from_secs(5), "until the oldest are forgotten: {late:?}");
        database.execute("UPDATE api_budgets SET slot = slot - 22");
        assert_eq!(store.lease_budget("clerk", 3, 16).await.unwrap().requests, 3);
        database.execute("UPDATE api_budgets SET slot = slot + 7200, taken = 20");
        let back = store.lease_budget("clerk", 3, 16).await.unwrap();
        assert_eq!(back.requests, 3, "a clock that was set back blocks nobody");
    }
}

/// Workers may spend four fifths; the rest is for people, who come at once.
#[tokio::test]
async fn trap_37_two_replicas_never_exceed_the_budget_and_people_go_first() {
    const USERS: usize = 22;
    let (database, emulator) = (TestDatabase::new(Engine::Postgres), emulator());
    let relay = Relay::to(&emulator);
    let mut own = provider_variables(&emulator);
    own.push(("CLERK_API_URL".into(), relay.url.clone()));
    own.push(("USERSYNC_API_BUDGET".into(), BUDGET.to_string()));
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
    let replicas = Replica::start_many_with(2, &database, &own).await;
    for number in 0..USERS {
        let user = emulator.create_user(json!({"first_name": format!("User{number}")}));
        let sender = &replicas[number % 2].sender;
        assert_eq!(sender.send(&event_of(&user)).await.outcome(), "applied");
    }
    relay.until_came(BUDGET * 4 / 5).await;
    let person = emulator.create_user(json!({"first_name": "Ada"}));
    let token = emulator.session_token(person["id"].as_str().unwrap());
    let (began, url) = (Instant::now(), format!("{}/v1/me", replicas[0].origin));
    let me = replicas[0].sender.client.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!((me.status().as_u16(), began.elapsed() < Duration::from_secs(2)), (200, true));
    assert_eq!(relay.came().len(), BUDGET * 4 / 5 + 1);
    until("all is written back", Duration::from_secs(60), async || {
        (database.count("write_backs") == 0).then_some(())
    })
    .await;
    let came = relay.came();
    let fullest = came
        .iter()
        .map(|from| came.iter().filter(|at| **at >= *from && **at < *from + WINDOW).count());
    assert!(fullest.max().unwrap() <= BUDGET, "{came:?}");
    assert_eq!(emulator.counts().requests_of("metadata_patch"), u64::try_from(USERS + 1).unwrap());
    for replica in replicas {
        replica.stop().await;
    }
}
