//! A replica that was paused for longer than its lease, and woken, as a suspended machine is.

use super::fixture::{PAGE, Scene, USERS, WITHIN, all_new, counted};
use super::operator::Operator;
use crate::both_engines;
use crate::support::{Engine, Hold, Service, until};

const LOST: &str = "its lease was lost";

/// A job of one committed page whose replica stands still in the midst of writing the second one.
/// Everything is open to others.
async fn paused_while_writing(scene: &Scene) -> (Service, String) {
    scene.pages.open(1);
    let replica = scene.service().await;
    let id = Operator::of(&replica.origin()).backfill().await;
    scene.until_seen(PAGE).await;
    scene.pages.until_asked(2).await;
    note_steps(scene);
    let hold = Hold::writers_of(&scene.database);
    scene.pages.open(2);
    scene.pages.until_asked(3).await;
    if scene.database.engine == Engine::Postgres {
        let schema = &scene.database.schema;
        let waiting =
            format!("pg_locks WHERE NOT granted AND relation = '{schema}.users'::regclass");
        until("the page is written", WITHIN, async || {
            (scene.database.count(&waiting) == 1).then_some(())
        })
        .await;
    }
    replica.pause();
    hold.release();
    scene.pages.open_all();
    assert_eq!(scene.seen(), u64::try_from(PAGE).unwrap());
    (replica, id)
}

/// Has the database write down every change of a job: its fence, and how many it has counted.
fn note_steps(scene: &Scene) {
    scene.database.execute(match scene.database.engine {
        Engine::Postgres => {
            "CREATE TABLE steps (at bigserial, step text); \
             CREATE FUNCTION note_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO steps (step) VALUES (NEW.fence || ' ' || (NEW.counters ->> 'seen')); \
             RETURN NEW; END $$; \
             CREATE TRIGGER note_step AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION note_step()"
        }
        Engine::Sqlite => {
            "CREATE TABLE steps (at INTEGER PRIMARY KEY, step TEXT); \
             CREATE TRIGGER note_step AFTER UPDATE ON jobs BEGIN INSERT INTO steps (step) \
             VALUES (NEW.fence || ' ' || json_extract(NEW.counters, '$.seen')); END"
        }
    });
}

/// What was written down, without repetitions: under which fence how many were counted.
fn steps(scene: &Scene) -> Vec<String> {
    let steps = scene.database.query("SELECT step AS value FROM steps ORDER BY at");
    let mut steps: Vec<String> = steps.into_iter().flatten().collect();
    steps.dedup();
    steps
}

/// The heir counts on from the one page that the first one committed.
fn assert_nothing_under_the_old_lease(scene: &Scene) {
    let heirs = ["2 500", "2 1000", "2 1500", "2 1600"];
    let steps = steps(scene);
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let own = steps.strip_suffix(&heirs).unwrap_or_else(|| panic!("{steps:?}"));
    assert!(own.iter().all(|step| *step == "1 500"), "{steps:?}");
}

both_engines! {
    async fn a_replica_that_wakes_after_another_took_over_changes_nothing(engine) {
        let scene = Scene::of(engine, USERS);
        let (sleeper, id) = paused_while_writing(&scene).await;
        let heir = scene.service().await;
        let job = Operator::of(&heir.origin()).until(&id, "succeeded").await;
        assert_eq!((counted(&job), scene.job("fence").as_deref()), (all_new(USERS), Some("2")));
        scene.assert_complete();
        let standing = scene.standing();
        sleeper.wake();
        until(LOST, WITHIN, async || sleeper.log().contains(LOST).then_some(())).await;
        assert!(scene.standing() == standing, "the woken one changed something");
        assert_nothing_under_the_old_lease(&scene);
        // It is as good as any other from now on.
        let operator = Operator::of(&sleeper.origin());
        let next = operator.backfill().await;
        assert_eq!(counted(&operator.until(&next, "succeeded").await)["unchanged"], USERS);
    }

    async fn a_replica_that_wakes_late_commits_nothing_under_its_old_lease_though_nobody_took_over(engine) {
        let scene = Scene::of(engine, USERS);
        let (sleeper, id) = paused_while_writing(&scene).await;
        let over = match engine {
            Engine::Postgres => "jobs WHERE leased_until < clock_timestamp()",
            Engine::Sqlite => "jobs WHERE leased_until < strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        };
        until("the lease is over", WITHIN, async || (scene.database.count(over) == 1).then_some(())).await;
        sleeper.wake();
        let job = Operator::of(&sleeper.origin()).until(&id, "succeeded").await;
        assert_eq!((counted(&job), scene.job("fence").as_deref()), (all_new(USERS), Some("2")));
        assert!(sleeper.log().contains(LOST));
        assert_nothing_under_the_old_lease(&scene);
        scene.assert_complete();
    }

    async fn a_replica_paused_for_less_than_its_lease_goes_on_as_if_nothing_had_happened(engine) {
        let scene = Scene::of(engine, USERS);
        let (sleeper, id) = paused_while_writing(&scene).await;
        sleeper.wake();
        let job = Operator::of(&sleeper.origin()).until(&id, "succeeded").await;
        assert_eq!((counted(&job), scene.job("fence").as_deref()), (all_new(USERS), Some("1")));
        assert_eq!(scene.pages.repeated(), 0);
        scene.assert_complete();
    }
}
