//! Values that do not last at the provider: it does not keep them, or an application strips them.

use super::with_settled_user;
use crate::support::{ADMIN_TOKEN, Engine, TestApp, TestDatabase, TestEmulator, until_true};
use clerk_emulator::Outage;
use serde_json::json;
use usersync::domain::Timestamp;

/// So many seconds from now, as both engines compare it.
fn instant(seconds: i64) -> String {
    let now = Timestamp::from(jiff::Timestamp::now());
    now.plus_seconds(seconds).unwrap().to_string()
}

impl TestDatabase {
    /// Waits until as many write-backs wait for longer than that, after so many attempts.
    async fn until_postponed(&self, users: usize, seconds: i64, attempts: usize) {
        let from = format!(
            "write_backs WHERE next_try_at > '{}' AND attempts = {attempts} AND leased_until IS NULL",
            instant(seconds)
        );
        self.until_count(&from, users).await;
    }

    /// As if so many seconds had passed since the last `PATCH`, and the next attempt were due.
    fn pass(&self, seconds: i64) {
        let at_ms = jiff::Timestamp::now().as_millisecond() - seconds * 1_000;
        let each = match self.engine {
            Engine::Postgres => {
                format!("(SELECT jsonb_agg({at_ms}) FROM jsonb_array_elements(patches))")
            }
            Engine::Sqlite => format!("(SELECT json_group_array({at_ms}) FROM json_each(patches))"),
        };
        self.execute(&format!(
            "UPDATE user_calls SET patches = {each} WHERE patches <> '[]';
             UPDATE write_backs SET next_try_at = '{}'",
            instant(0)
        ));
    }
}

impl TestApp {
    fn strip(&self, id: &str) {
        self.emulator.merge_public_metadata(id, json!({"dbId": null, "role": null})).unwrap();
    }

    async fn until_written(&self, id: &str, writes: usize) {
        until_true("it is written", async || self.emulator.metadata_writes(id) == writes).await;
        self.quiet().await;
    }
}

both_engines! {
    async fn what_the_provider_does_not_keep_is_sent_less_and_less_and_listed_in_the_end(engine) {
        let (app, _) = with_settled_user(engine, "Grace").await;
        app.emulator.set_outage(Outage::UnkeptMetadata);
        let ids = app.emulator.sign_up_many(3);
        let mut wait = 30;
        for attempts in 1..8 {
            app.database.until_postponed(ids.len(), wait - 10, attempts).await;
            assert!(ids.iter().all(|id| app.emulator.metadata_writes(id) == attempts), "once an attempt");
            wait = (wait * 2).min(3600);
            app.database.pass(3600);
        }
        app.database.until_count("write_backs WHERE state = 'rejected'", ids.len()).await;
        assert!(ids.iter().all(|id| app.emulator.metadata_writes(id) == 8));
        let listed = app.get_as(ADMIN_TOKEN, "/v1/write-backs?state=rejected").await;
        let whys: Vec<_> = listed.data().iter().map(|one| (&one["last_error"], &one["attempts"])).collect();
        assert_eq!(whys, vec![(&json!("not_kept"), &json!(8)); 3]);
        assert_eq!(app.metric("usersync_write_backs_total{outcome=\"not_kept\"}").await, 24);
        // A change wakes each once.
        app.emulator.update_user(&ids[0], json!({"last_name": "Byron"})).unwrap();
        app.until_written(&ids[0], 9).await;
        assert_eq!(app.database.count("write_backs WHERE state = 'rejected'"), 3);
        app.emulator.set_outage(Outage::None);
        app.resync(&ids).await;
        app.quiet().await;
        assert!(ids.iter().all(|id| app.metadata(id)["role"] == "user"));
        assert_eq!(app.outbox(), [""; 0]);
    }

    async fn an_application_that_strips_our_values_is_not_fought(engine) {
        let (app, id) = with_settled_user(engine, "Ada").await;
        for writes in 2..=4 {
            app.strip(&id);
            app.until_written(&id, writes).await;
        }
        app.strip(&id);
        app.database.until_postponed(1, 20, 0).await;
        app.emulator.update_user(&id, json!({"last_name": "Byron"})).unwrap();
        app.emulator.wait_until_idle().await;
        app.database.until_postponed(1, 15, 0).await;
        assert_eq!(app.emulator.metadata_writes(&id), 4);
        app.database.pass(31);
        app.until_written(&id, 5).await;
        app.strip(&id);
        app.database.until_postponed(1, 20, 0).await;
        assert_eq!(app.emulator.metadata_writes(&id), 5);
    }

    async fn an_operators_choice_does_not_wait_for_what_an_application_stripped(engine) {
        let (app, id) = with_settled_user(engine, "Ada").await;
        for writes in 2..=4 {
            app.strip(&id);
            app.until_written(&id, writes).await;
        }
        app.strip(&id);
        app.database.until_postponed(1, 20, 0).await;
        app.set_override(&id, json!({"role": "admin"})).await;
        app.until_written(&id, 5).await;
        assert_eq!(app.metadata(&id)["role"], "admin");
    }
}

#[tokio::test]
async fn what_does_not_last_is_said_with_what_to_look_for() {
    let (database, emulator) = (TestDatabase::new(Engine::Sqlite), TestEmulator::start());
    let service = TestApp::builder(&database).emulator(&emulator).start_process().await;
    emulator.deliver_to(Some(service.url.clone()));
    let stripped = emulator.sign_up("Ada");
    for writes in 1..=4 {
        until_true("it is written", async || emulator.metadata_writes(&stripped) == writes).await;
        database.until_none("write_backs").await;
        emulator.merge_public_metadata(&stripped, json!({"dbId": null, "role": null})).unwrap();
    }
    let line = service.logged("what we write about this user does not last").await;
    assert!(line.contains(&stripped), "{line}");
    emulator.set_outage(Outage::UnkeptMetadata);
    let unkept = emulator.sign_up("Grace");
    let line = service.logged("the provider does not keep what is written").await;
    assert!(line.contains(&unkept), "{line}");
}
