//! No more than a few rows are emptied a day, over all requests and replicas; and the log says so
//! without personal data.

use super::{SAMPLES, known, recorded, with_known};
use crate::support::{ADMIN_TOKEN, NO_WRITE_BACK, TestApp, TestDatabase, TestEmulator, outcomes};
use clerk_emulator::Outage;
use serde_json::json;
use tokio::task::JoinSet;

const ALWAYS: usize = 10;

async fn held_back(app: &TestApp, ids: &[String]) {
    let answer = app.resync(ids).await;
    assert_eq!(outcomes(&answer), vec!["held_back"; ids.len()]);
    assert_eq!(answer.body["data"][0]["reason"], "brake");
}

async fn acted_on(app: &TestApp, ids: &[String]) {
    assert_eq!(outcomes(&app.resync(ids).await), vec!["absent"; ids.len()]);
}

/// Stands in every name and address.
const MARK: &str = "Personalword";

fn sign_up(emulator: &TestEmulator, number: usize) -> String {
    let user =
        json!({"first_name": MARK, "email_address": [format!("{MARK}{number}@example.org")]});
    emulator.create_user(user)["id"].as_str().unwrap().to_owned()
}

both_engines! {
    async fn ten_are_acted_on_and_of_eleven_not_one(engine) {
        let (app, ids) = with_known(engine, ALWAYS + 4).await;
        known(&app, SAMPLES).await;
        app.lose(&ids[..=ALWAYS]);
        held_back(&app, &ids[..=ALWAYS]).await;
        assert_eq!((app.emptied(), recorded(&app, "held_back")), (0, ALWAYS + 1));
        // What is held back does not count; ten of the same are few enough.
        acted_on(&app, &ids[..ALWAYS]).await;
        assert_eq!((app.emptied(), recorded(&app, "emptied"), recorded(&app, "held_back")), (ALWAYS, ALWAYS, 1));
        held_back(&app, &ids[ALWAYS..=ALWAYS]).await;
        assert_eq!(app.database.count("users_live"), SAMPLES + 4);
    }

    async fn a_day_is_counted_over_several_requests(engine) {
        let (app, ids) = with_known(engine, 16).await;
        known(&app, SAMPLES).await;
        app.lose(&ids[..14]);
        acted_on(&app, &ids[..6]).await;
        held_back(&app, &ids[6..11]).await;
        acted_on(&app, &ids[6..10]).await;
        held_back(&app, &ids[10..11]).await;
        assert_eq!(app.emptied(), ALWAYS);
        app.database.execute("UPDATE absences SET found_at = '2020-01-01T00:00:00.000Z'");
        acted_on(&app, &ids[10..14]).await;
        assert_eq!(app.emptied(), 14);
    }

    async fn asking_for_an_absent_user_again_does_not_use_the_day_up(engine) {
        let (app, ids) = with_known(engine, 12).await;
        known(&app, SAMPLES).await;
        app.lose(&ids[..ALWAYS]);
        for _ in 0..3 {
            acted_on(&app, &ids[..5]).await;
        }
        acted_on(&app, &ids[5..ALWAYS]).await;
        assert_eq!(app.emptied(), ALWAYS);
    }

    async fn of_many_rows_one_in_a_hundred_may_be_absent(engine) {
        let emulator = TestEmulator::with_users(1_200);
        let app = TestApp::builder(engine).emulator(&emulator).manual_events().no_write_back().start().await;
        let ids = app.emulator.issued_ids();
        for some in ids.chunks(100) {
            assert_eq!(app.resync(some).await.status, 200);
        }
        assert_eq!(app.database.count("users_live"), 1_200);
        app.lose(&ids[..13]);
        held_back(&app, &ids[..13]).await;
        acted_on(&app, &ids[..12]).await;
        assert_eq!((app.emptied(), recorded(&app, "held_back")), (12, 1));
    }

    async fn requests_at_the_same_moment_on_two_replicas_do_not_exceed_it(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let other = app.replica(&[NO_WRITE_BACK]).await;
        let ids = known(&app, 34).await;
        known(&app, SAMPLES).await;
        app.lose(&ids[..32]);
        let mut asked = JoinSet::new();
        for (place, group) in ids[..32].chunks(4).enumerate() {
            let replica = if place.is_multiple_of(2) { &app } else { &other };
            let (client, group) = (replica.client.clone(), group.to_vec());
            asked.spawn(async move { client.resync(&group).await });
        }
        let answers = asked.join_all().await;
        let absent = answers.iter().flat_map(outcomes).filter(|outcome| outcome == "absent");
        assert_eq!((absent.count(), app.emptied()), (8, 8), "two of the groups fit into a day");
        assert_eq!((recorded(&app, "emptied"), recorded(&app, "held_back")), (8, 24));
    }

    async fn users_held_back_are_logged_with_the_reason_and_without_personal_data(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let builder = TestApp::builder(&database).emulator(&emulator).no_write_back();
        let mut service = builder.variables(&[("RUST_LOG", "trace")]).start_process().await;
        let resync = async |ids: &[String]| outcomes(&service.resync(ids).await);
        let ids: Vec<String> = (0..12).map(|number| sign_up(&emulator, number)).collect();
        let others: Vec<String> = (12..12 + SAMPLES).map(|number| sign_up(&emulator, number)).collect();
        for ids in [&ids, &others] {
            assert_eq!(resync(ids).await, vec!["created"; ids.len()]);
        }

        emulator.set_outage(Outage::NotFound);
        assert_eq!(resync(&ids[..2]).await, ["held_back", "held_back"]);
        assert!(service.logged("nobody is emptied").await.contains("\"users\":2"));

        emulator.set_outage(Outage::None);
        for id in &ids {
            emulator.delete_user(id);
        }
        assert_eq!(resync(&ids).await, vec!["held_back"; 12]);
        assert!(service.logged("more users are absent").await.contains("\"users\":12"));

        assert_eq!(resync(&ids[..1]).await, ["absent"]);
        assert!(service.logged("were emptied").await.contains("\"users\":1"));
        assert!(service.logged("a manual resync").await.contains("\"users\":12"));

        let log = service.stop().await;
        let key = &emulator.credentials().secret_key;
        for word in [MARK, "personalword", "example.org", ADMIN_TOKEN, key] {
            assert!(!log.contains(word), "{word} is logged:\n{log}");
        }
    }
}
