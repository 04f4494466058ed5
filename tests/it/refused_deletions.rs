//! A signed deletion that the database refuses: it is never acknowledged, and applied as soon as it can
//! be, by the service itself or by the provider's next attempt.

use crate::support::{Engine, TestApp, TestDatabase, deleted, until_true, user, user_id};

/// As an application's trigger with `NOT NULL` columns does.
fn refuse_empty_rows(database: &TestDatabase) {
    database.execute(match database.engine {
        Engine::Postgres => "ALTER TABLE users ADD CONSTRAINT has_email CHECK (email IS NOT NULL)",
        Engine::Sqlite => {
            "CREATE TRIGGER has_email BEFORE UPDATE ON users WHEN NEW.email IS NULL \
             BEGIN SELECT RAISE(ABORT, 'has_email'); END"
        }
    });
}

fn allow_empty_rows(database: &TestDatabase) {
    database.execute(match database.engine {
        Engine::Postgres => "ALTER TABLE users DROP CONSTRAINT has_email",
        Engine::Sqlite => "DROP TRIGGER has_email",
    });
}

both_engines! {
    async fn a_refused_deletion_is_answered_503_and_named_and_applied_when_it_comes_again(engine) {
        let database = TestDatabase::new(engine);
        let service = TestApp::builder(&database).start_process().await;
        service.send(&user(&user_id(1), 1_000)).await;
        refuse_empty_rows(&database);
        let message = "msg_deletion";
        for _ in 0..2 {
            service.send_as(message, &deleted(&user_id(1))).await.assert_unavailable("deletion_refused");
        }
        let line = service.logged("a signed deletion cannot be applied").await;
        if engine == Engine::Postgres {
            assert!(line.contains("23514") && line.contains("has_email"), "{line}");
        }
        assert_eq!((database.count("quarantine"), service.user(&user_id(1)).await["status"].as_str()), (0, Some("active")));
        // Others go on meanwhile.
        assert_eq!(service.send(&user(&user_id(2), 1_000)).await.outcome(), "applied");
        allow_empty_rows(&database);
        assert_eq!(service.send_as(message, &deleted(&user_id(1))).await.outcome(), "applied");
        assert_eq!(service.user(&user_id(1)).await["email"], serde_json::Value::Null);
    }

    async fn a_refused_deletion_is_tried_anew_without_the_provider(engine) {
        let app = TestApp::start(engine).await;
        app.send(&user(&user_id(1), 1_000)).await;
        refuse_empty_rows(&app.database);
        app.send(&deleted(&user_id(1))).await.assert_unavailable("deletion_refused");
        allow_empty_rows(&app.database);
        until_true("the row is emptied", async || app.database.count("users WHERE deletion_kind = 'signed'") == 1).await;
    }

    async fn what_refuses_every_row_is_an_outage_and_no_event_is_quarantined_for_it(app = TestApp::start) {
        app.database.execute(match app.database.engine {
            Engine::Postgres => "ALTER TABLE users ADD CONSTRAINT none CHECK (false) NOT VALID",
            Engine::Sqlite => "CREATE TRIGGER none BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'none'); END",
        });
        for number in 0..3 {
            app.send(&user(&user_id(number), 1_000)).await.assert_unavailable("database_unavailable");
        }
        assert_eq!(app.get("/readyz").await.status, 503);
        app.database.execute(match app.database.engine {
            Engine::Postgres => "ALTER TABLE users DROP CONSTRAINT none",
            Engine::Sqlite => "DROP TRIGGER none",
        });
        assert_eq!(app.send(&user(&user_id(1), 1_000)).await.outcome(), "applied");
        assert_eq!(app.database.count("quarantine"), 0);
        app.until_ready().await;
    }
}
