//! A delivery that the database refuses is quarantined alone, and applied once the cause is gone, by
//! another delivery or by a replay.

use crate::support::{
    Answer, Engine, Program, TestApp, TestDatabase, configuration, deleted, message_id, run, user,
    user_id, user_with,
};
use serde_json::Value;
use std::sync::Arc;
use usersync::ingest::{Ingest, ReplayError, replay};
use usersync::store::Store;
use usersync::telemetry::Metrics;

fn poisoned(id: &str, updated_at: i64) -> Value {
    user_with(id, updated_at, "last_name", "poison")
}

fn close_quarantine(database: &TestDatabase) {
    database.execute(match database.engine {
        Engine::Postgres => "ALTER TABLE quarantine ADD CONSTRAINT closed CHECK (size_bytes < 0)",
        Engine::Sqlite => {
            "CREATE TRIGGER closed BEFORE INSERT ON quarantine \
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
    });
}

fn outcomes(answers: &[Answer]) -> Vec<&str> {
    answers.iter().map(Answer::outcome).collect()
}

/// A service that has one poisoned message in quarantine, of user 1.
async fn with_poisoned(engine: Engine) -> (TestApp, String) {
    let app = TestApp::start(engine).await;
    app.database.refuse_users("last_name", "poison");
    let message = message_id();
    let answer = app.send_as(&message, &poisoned(&user_id(1), 1_000)).await;
    assert_eq!((answer.status.as_u16(), answer.outcome()), (202, "quarantined"));
    assert_eq!(answer.reason(), Some("refused_by_database"));
    (app, message)
}

/// Sends seven deliveries in one batch, of which one is poisoned.
async fn assert_batch_but_one_applied(app: &TestApp) {
    let ids: Vec<String> = (0..7).map(|number| format!("msg_{number}")).collect();
    let event = |number: usize| match number {
        3 => poisoned(&user_id(3), 1_000),
        _ => user(&user_id(number), 1_000),
    };
    let batch: Vec<_> = ids.iter().map(String::as_str).zip((0..7).map(event)).collect();
    let answers = app.send_in_one_batch(&batch).await;
    let mut expected = ["applied"; 7];
    expected[3] = "quarantined";
    assert_eq!(outcomes(&answers), expected);
    assert_eq!(answers[3].reason(), Some("refused_by_database"));
    assert_eq!((app.database.count("users"), app.database.count("quarantine")), (6, 1));
}

async fn assert_healed(app: &TestApp) {
    assert_eq!(app.user(&user_id(1)).await["last_name"], "poison");
    assert_eq!(app.database.count("quarantine"), 0);
    assert_eq!(app.database.count("webhook_events WHERE outcome = 'applied'"), 1);
}

/// Replays through the library, by a writer of its own.
async fn replay_once(database: &TestDatabase, message: &str) -> Result<&'static str, ReplayError> {
    let config = configuration(database, &[]);
    let store = Store::new(&config.database);
    let metrics = Arc::new(Metrics::default());
    let (ingest, writer) =
        Ingest::start(&store, config.row_defaults(), Arc::default(), metrics).unwrap();
    let settled = replay(&ingest, &store, &config.provider, message).await;
    ingest.close();
    tokio::task::spawn_blocking(|| writer.join()).await.unwrap();
    settled.map(|settled| settled.outcome.as_str())
}

both_engines! {
    async fn a_poisoned_event_that_cannot_even_be_kept_does_not_hold_up_the_others(app = TestApp::start) {
        app.database.refuse_users("last_name", "poison");
        close_quarantine(&app.database);
        let malformed = serde_json::json!({"type": "user.updated", "data": {"id": 7}});
        let answers = app
            .send_in_one_batch(&[
                ("msg_unreadable", malformed),
                ("msg_poison", poisoned(&user_id(1), 1_000)),
                ("msg_good_2", user(&user_id(2), 1_000)),
                ("msg_good_3", user(&user_id(3), 1_000)),
                ("msg_good_4", user(&user_id(4), 1_000)),
            ])
            .await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses, [503, 503, 200, 200, 200]);
        assert_eq!(answers[1].code(), "database_unavailable");
        assert_eq!(app.database.count("users"), 3);
    }

    async fn a_poisoned_delivery_is_quarantined_alone_and_its_batch_applied(app = TestApp::start) {
        app.database.refuse_users("last_name", "poison");
        assert_batch_but_one_applied(&app).await;
    }

    async fn a_table_beside_the_users_that_is_not_there_is_an_outage(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        app.database.execute("ALTER TABLE write_backs RENAME TO elsewhere");
        for number in 0..2 {
            app.send(&user(&user_id(number), 1_000)).await.assert_unavailable("database_unavailable");
        }
        app.database.execute("ALTER TABLE elsewhere RENAME TO write_backs");
        assert_eq!(app.send(&user(&user_id(1), 1_000)).await.outcome(), "applied");
        assert_eq!(app.database.count("quarantine"), 0);
    }

    async fn a_good_snapshot_is_applied_where_a_poisoned_one_of_its_user_is_newer(app = TestApp::start) {
        app.database.refuse_users("last_name", "poison");
        let batch = [("msg_1", user(&user_id(1), 1_000)), ("msg_2", poisoned(&user_id(1), 2_000))];
        assert_eq!(outcomes(&app.send_in_one_batch(&batch).await), ["applied", "quarantined"]);
        assert_eq!(app.user(&user_id(1)).await["last_name"], "Version1000");
    }

    async fn a_poisoned_message_heals_when_it_is_delivered_again((app, message) = with_poisoned) {
        let event = poisoned(&user_id(1), 1_000);
        assert_eq!(app.send_as(&message, &event).await.outcome(), "quarantined");
        app.database.refuse_no_users();
        assert_eq!(app.send_as(&message, &event).await.outcome(), "applied");
        assert_healed(&app).await;
        assert_eq!(app.send_as(&message, &event).await.outcome(), "duplicate");
    }

    async fn a_poisoned_message_heals_by_a_replay((app, message) = with_poisoned) {
        assert_eq!(replay_once(&app.database, &message).await.unwrap(), "quarantined");
        app.database.refuse_no_users();
        assert_eq!(replay_once(&app.database, &message).await.unwrap(), "applied");
        assert_healed(&app).await;
        let again = replay_once(&app.database, &message).await;
        assert!(matches!(again, Err(ReplayError::NotQuarantined(_))));
    }

    async fn a_replay_does_not_undo_what_came_meanwhile((app, message) = with_poisoned) {
        app.send(&user(&user_id(1), 5_000)).await;
        app.database.refuse_no_users();
        assert_eq!(replay_once(&app.database, &message).await.unwrap(), "stale");
        assert_eq!(app.user(&user_id(1)).await["last_name"], "Version5000");
        assert_eq!(app.database.count("quarantine"), 0);
    }

    async fn a_deletion_erases_a_poisoned_message((app, message) = with_poisoned) {
        app.send(&deleted(&user_id(1))).await;
        assert_eq!(app.database.count("quarantine"), 0);
        app.database.refuse_no_users();
        assert!(replay_once(&app.database, &message).await.is_err());
    }

    async fn the_program_lists_and_replays_what_is_quarantined((app, message) = with_poisoned) {
        let program = Program::on(&app.database);
        let listed = program.run(&["replay", "--list"]);
        assert_eq!(listed.status, Some(0), "{listed:?}");
        assert!(listed.stdout.contains(&message) && listed.stdout.contains("refused_by_database"));
        assert!(!listed.stdout.contains("example.org"), "{listed:?}");
        let still = program.run(&["replay", &message]);
        assert_eq!(still.status, Some(1), "{still:?}");
        app.database.refuse_no_users();
        let healed = program.run(&["replay", &message]);
        assert_eq!((healed.status, healed.stdout.trim()), (Some(0), format!("{message}: applied").as_str()));
        assert_healed(&app).await;
        assert!(program.run(&["replay", "--list"]).stdout.contains("nothing is quarantined"));
        assert_eq!(program.run(&["replay", &message]).status, Some(1));
    }

    async fn the_program_replays_everything_and_tells_machines_too((app, message) = with_poisoned) {
        app.database.refuse_no_users();
        let replayed = Program::on(&app.database).run(&["replay", "--all", "--json"]);
        assert_eq!(replayed.status, Some(0), "{replayed:?}");
        let line: Value = serde_json::from_str(&replayed.stdout).unwrap();
        assert_eq!((&line["message_id"], &line["outcome"]), (&message.into(), &"applied".into()));
        assert_healed(&app).await;
    }
}

/// As a trigger fails that names a table without its schema. SQLite refuses every row then.
#[tokio::test]
async fn an_event_that_an_applications_trigger_fails_for_is_quarantined_alone() {
    run(async {
        let app = TestApp::start(Engine::Postgres).await;
        app.database.execute(
            "CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO accounts VALUES (NEW.id); RETURN NEW; END $$; \
             CREATE TRIGGER follow AFTER INSERT ON users FOR EACH ROW \
             WHEN (NEW.last_name = 'poison') EXECUTE FUNCTION follow()",
        );
        assert_batch_but_one_applied(&app).await;
        assert_eq!(app.get("/readyz").await.status, 200);
    })
    .await;
}
