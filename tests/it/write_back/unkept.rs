//! Values that do not last at the provider: it does not keep them, or an application strips them.

use super::with_settled_user;
use crate::support::{
    ADMIN_TOKEN, Blocked, Engine, TestApp, TestDatabase, TestEmulator, until_true,
};
use clerk_emulator::Outage;
use serde_json::json;
use std::time::{Duration, Instant};
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

    /// As if these had been written to twelve times just now, in vain.
    fn wait_for_what_is_lost(&self, ids: &[&str]) {
        let log = json!(vec![jiff::Timestamp::now().as_millisecond(); 12]);
        let until = instant(3_600);
        let rows = ids.iter().map(|id| format!("('clerk', '{id}', '{log}', '{until}')"));
        let rows = rows.collect::<Vec<_>>().join(", ");
        self.execute(&format!(
            "INSERT INTO user_calls (source, external_id, patches, kept_until) VALUES {rows}
             ON CONFLICT (external_id, source) DO UPDATE SET patches = excluded.patches"
        ));
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
    /// Strips a user who was written to once, each time that it is written to, until the next waits.
    async fn strip_until_postponed(&self, id: &str) {
        for writes in 2..=4 {
            self.strip(id);
            self.until_written(id, writes).await;
        }
        self.strip(id);
        self.database.until_postponed(1, 20, 0).await;
    }

    fn strip(&self, id: &str) {
        self.emulator.merge_public_metadata(id, json!({"dbId": null, "role": null})).unwrap();
    }

    async fn sign_in(&self, id: &str) {
        let token = self.emulator.session_token(id);
        let answer = self.get_as(&token, "/api/clerk/syncUsers").await;
        assert_eq!(
            answer.code(),
            "not_found",
            "it redirects to an application, which is not there"
        );
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
        // A change wakes each once, not before the pause between writes is over.
        app.database.pass(3600);
        app.emulator.update_user(&ids[0], json!({"last_name": "Byron"})).unwrap();
        app.until_written(&ids[0], 9).await;
        assert_eq!(app.database.count("write_backs WHERE state = 'rejected'"), 3);
        app.emulator.set_outage(Outage::None);
        app.database.pass(3600);
        app.resync(&ids).await;
        app.quiet().await;
        assert!(ids.iter().all(|id| app.metadata(id)["role"] == "user"));
        assert_eq!(app.outbox(), [""; 0]);
    }

    async fn an_application_that_strips_our_values_is_not_fought(engine) {
        let (app, id) = with_settled_user(engine, "Ada").await;
        app.strip_until_postponed(&id).await;
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
        app.strip_until_postponed(&id).await;
        app.set_override(&id, json!({"role": "admin"})).await;
        app.until_written(&id, 5).await;
        assert_eq!(app.metadata(&id)["role"], "admin");
    }

    async fn an_order_given_during_a_call_does_not_wait_though_that_is_not_kept(engine) {
        let roles = [("USERSYNC_ROLES", "user,editor,admin")];
        let builder = TestApp::builder(engine).emulated().variables(&roles);
        let (app, proxy) = builder.start_behind_proxy().await;
        let id = app.sign_up("Ada");
        app.quiet().await;
        app.emulator.set_outage(Outage::UnkeptMetadata);
        proxy.block(Blocked::WriteAnswers);
        app.set_override(&id, json!({"role": "admin"})).await;
        proxy.until_held(1).await;
        app.set_override(&id, json!({"role": "editor"})).await;
        app.emulator.set_outage(Outage::None);
        proxy.block(Blocked::Nothing);
        app.until_written(&id, 3).await;
        assert_eq!(app.metadata(&id)["role"], "editor");
        assert_eq!(app.metric("usersync_write_backs_total{outcome=\"not_kept\"}").await, 0);
    }

    async fn a_sign_in_does_not_shorten_a_pause(engine) {
        let (app, _) = with_settled_user(engine, "Grace").await;
        app.emulator.set_outage(Outage::UnkeptMetadata);
        let id = app.sign_up("Ada");
        app.database.until_postponed(1, 20, 1).await;
        for _ in 0..3 {
            app.sign_in(&id).await;
        }
        app.database.until_postponed(1, 10, 1).await;
        assert_eq!(app.emulator.metadata_writes(&id), 1);
        // Nor does the pause for what does not last shorten a longer one.
        app.database.wait_for_what_is_lost(&[&id]);
        app.database.execute(&format!(
            "UPDATE write_backs SET attempts = 0, next_try_at = '{}'",
            instant(3_000)
        ));
        app.sign_in(&id).await;
        app.database.until_postponed(1, 2_000, 0).await;
    }

    async fn an_unreadable_answer_is_not_taken_for_one_that_lacks_our_values(engine) {
        let (app, _) = with_settled_user(engine, "Grace").await;
        app.emulator.set_outage(Outage::UnkeptMetadata);
        let id = app.sign_up("Ada");
        app.database.until_postponed(1, 20, 1).await;
        app.database.execute("UPDATE write_backs SET attempts = 8, last_error = 'protocol'");
        app.database.pass(3600);
        app.database.until_postponed(1, 3_000, 9).await;
        assert_eq!(app.database.count("write_backs WHERE state = 'due'"), 1, "not parked yet");
        app.set_override(&id, json!({"role": "admin"})).await;
        app.database.until_postponed(1, 20, 1).await;
        assert_eq!(app.database.count("write_backs WHERE state = 'due'"), 1, "it begins anew");
    }

    async fn those_who_wait_for_what_is_lost_do_not_hold_up_the_others(engine) {
        let (app, _) = with_settled_user(engine, "Grace").await;
        let ids: Vec<String> = (0..400).map(|number| format!("user_{number}")).collect();
        app.database.wait_for_what_is_lost(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        let due = ids.iter().map(|id| format!("('clerk', '{id}', '{}', '{}')", instant(-60), instant(0)));
        let due = due.collect::<Vec<_>>().join(", ");
        let began = Instant::now();
        app.database.execute(&format!(
            "INSERT INTO write_backs (source, external_id, next_try_at, created_at) VALUES {due}"
        ));
        let id = app.sign_up("Ada");
        until_true("it is written", async || app.emulator.metadata_writes(&id) == 1).await;
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
        app.database.until_postponed(ids.len(), 0, 0).await;
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
