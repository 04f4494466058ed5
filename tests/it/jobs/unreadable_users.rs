//! Users that cannot be read, or stored, are counted and stop no other user.

use super::fixture::{JobFixture, PAGE, counted};
use super::page_gate::SPOILT;
use crate::support::Engine;
use serde_json::json;

/// Makes the database refuse users of this first name.
fn refuse(fixture: &JobFixture, name: &str) {
    fixture.database.execute(&match fixture.database.engine {
        Engine::Postgres => format!("ALTER TABLE users ADD CHECK (first_name <> '{name}')"),
        Engine::Sqlite => format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON users WHEN NEW.first_name = '{name}' \
             BEGIN SELECT RAISE(ABORT, '{name} is refused'); END"
        ),
    });
}

both_engines! {
    async fn a_user_whom_nobody_can_read_has_failed_and_hides_nobody(engine) {
        let fixture = JobFixture::of(engine, 9);
        let ids = fixture.ids();
        let app = fixture.replica(&[]).await;
        // The first, one in between, and the last.
        for number in [0, 4, 8] {
            fixture.pages.spoil(&ids[number]);
        }
        let expected = json!({"seen": 9, "failed": 3, "created": 6, "missing": 6});
        for dry_run in [true, false] {
            let job = app.finish_job(json!({"kind": "backfill", "dry_run": dry_run})).await;
            assert_eq!((counted(&job), &job["error"]), (expected.clone(), &json!(null)));
        }
        assert_eq!(fixture.database.count("users"), 6);
        assert!(!fixture.database.dump().contains(SPOILT));
    }

    async fn everybody_may_be_unreadable(engine) {
        let (fixture, app) = JobFixture::with_replica(engine, 3).await;
        for id in fixture.ids() {
            fixture.pages.spoil(&id);
        }
        let job = app.finish_job(json!({"kind": "backfill"})).await;
        assert_eq!(counted(&job), json!({"seen": 3, "failed": 3}));
    }

    /// Behind an unreadable user no page can be asked for, so they come again in the next one.
    async fn unreadable_users_at_the_end_of_a_page_are_counted_once(engine) {
        let fixture = JobFixture::of(engine, PAGE + 20);
        let ids = fixture.ids();
        let app = fixture.replica(&[]).await;
        for id in &ids[PAGE - 2..=PAGE] {
            fixture.pages.spoil(id);
        }
        let job = app.finish_job(json!({"kind": "backfill"})).await;
        let created = PAGE + 17;
        let expected = json!({"seen": PAGE + 20, "failed": 3, "created": created, "missing": created});
        assert_eq!(counted(&job), expected);
        assert_eq!(fixture.database.count("users"), created);
    }

    async fn a_user_whom_the_database_refuses_has_failed_and_hides_nobody(engine) {
        let fixture = JobFixture::of(engine, PAGE + 20);
        let ids = fixture.ids();
        let app = fixture.replica(&[]).await;
        refuse(&fixture, "Unbearable");
        for number in [0, 77, PAGE - 1, PAGE] {
            fixture.emulator.update_user(&ids[number], json!({"first_name": "Unbearable"}));
        }
        let (created, failed) = (PAGE + 16, 4);
        let job = app.finish_job(json!({"kind": "backfill"})).await;
        let expected = json!({"seen": PAGE + 20, "failed": failed, "created": created, "missing": created});
        assert_eq!((counted(&job), &job["error"]), (expected, &json!(null)));
        assert_eq!(fixture.database.count("users"), created);
        // Rows that are there are not written again, so the database refuses nothing.
        let again = app.finish_job(json!({"kind": "backfill"})).await;
        assert_eq!(counted(&again), json!({"seen": PAGE + 20, "failed": failed, "unchanged": created}));
    }
}
