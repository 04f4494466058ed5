//! Users who cannot be read, or stored: they are counted, and hide nobody.

use super::fixture::{PAGE, Scene, counted};
use super::page_gate::SPOILT;
use crate::both_engines;
use crate::support::Engine;
use serde_json::json;

/// Has the database refuse users of this first name.
fn refuse(scene: &Scene, name: &str) {
    scene.database.execute(&match scene.database.engine {
        Engine::Postgres => format!("ALTER TABLE users ADD CHECK (first_name <> '{name}')"),
        Engine::Sqlite => format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON users WHEN NEW.first_name = '{name}' \
             BEGIN SELECT RAISE(ABORT, '{name} is refused'); END"
        ),
    });
}

both_engines! {
    async fn a_user_whom_nobody_can_read_has_failed_and_hides_nobody(engine) {
        let scene = Scene::of(engine, 9);
        let ids = scene.ids();
        let (replica, operator) = scene.replica(&[]).await;
        // The first, one in between, and the last.
        for number in [0, 4, 8] {
            scene.pages.spoil(&ids[number]);
        }
        let expected = json!({"seen": 9, "failed": 3, "created": 6, "missing": 6});
        for dry_run in [true, false] {
            let job = operator.done(json!({"kind": "backfill", "dry_run": dry_run})).await;
            assert_eq!((counted(&job), &job["error"]), (expected.clone(), &json!(null)));
        }
        assert_eq!(scene.database.count("users"), 6);
        assert!(!scene.database.dump().contains(SPOILT));
        replica.stop().await;
    }

    async fn everybody_may_be_unreadable(engine) {
        let scene = Scene::of(engine, 3);
        let (replica, operator) = scene.replica(&[]).await;
        for id in scene.ids() {
            scene.pages.spoil(&id);
        }
        let job = operator.done(json!({"kind": "backfill"})).await;
        assert_eq!(counted(&job), json!({"seen": 3, "failed": 3}));
        replica.stop().await;
    }

    /// Behind an unreadable user no page can be asked for, so they come again in the next one.
    async fn unreadable_users_at_the_end_of_a_page_are_counted_once(engine) {
        let scene = Scene::of(engine, PAGE + 20);
        let ids = scene.ids();
        let (replica, operator) = scene.replica(&[]).await;
        for id in &ids[PAGE - 2..=PAGE] {
            scene.pages.spoil(id);
        }
        let job = operator.done(json!({"kind": "backfill"})).await;
        let created = PAGE + 17;
        let expected = json!({"seen": PAGE + 20, "failed": 3, "created": created, "missing": created});
        assert_eq!(counted(&job), expected);
        assert_eq!(scene.database.count("users"), created);
        replica.stop().await;
    }

    async fn a_user_whom_the_database_refuses_has_failed_and_hides_nobody(engine) {
        let scene = Scene::of(engine, PAGE + 20);
        let ids = scene.ids();
        let (replica, operator) = scene.replica(&[]).await;
        refuse(&scene, "Unbearable");
        for number in [0, 77, PAGE - 1, PAGE] {
            scene.emulator.update_user(&ids[number], json!({"first_name": "Unbearable"}));
        }
        let (created, failed) = (PAGE + 16, 4);
        let job = operator.done(json!({"kind": "backfill"})).await;
        let expected = json!({"seen": PAGE + 20, "failed": failed, "created": created, "missing": created});
        assert_eq!((counted(&job), &job["error"]), (expected, &json!(null)));
        assert_eq!(scene.database.count("users"), created);
        // Who is there already is not written again, so nothing is in the way of the others.
        let again = operator.done(json!({"kind": "backfill"})).await;
        assert_eq!(counted(&again), json!({"seen": PAGE + 20, "failed": failed, "unchanged": created}));
        replica.stop().await;
    }
}
