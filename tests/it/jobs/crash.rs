//! A job whose process died: whoever comes next goes on where it stood.

use super::fixture::{PAGE, Scene, USERS, all_new, counted};
use super::operator::Operator;
use crate::both_engines;
use crate::support::{Engine, Hold, Service, until};
use serde_json::Value;

/// A job of two committed pages, whose replica died while it waited for the third; and the user
/// behind whom that was.
async fn left_behind(scene: &Scene) -> (String, String) {
    scene.pages.open(2);
    let mut dying = scene.service().await;
    let operator = Operator::of(&dying.origin());
    let id = operator.backfill().await;
    scene.until_seen(2 * PAGE).await;
    scene.pages.until_asked(3).await;
    let place = operator.place(&id).await;
    assert_eq!(place, scene.ids()[2 * PAGE - 1]);
    dying.kill();
    assert_eq!(scene.job("state").as_deref(), Some("running"));
    (id, place)
}

/// Waits until the replica has begun to write a page, as far as the database tells.
async fn until_writing(scene: &Scene) {
    if scene.database.engine == Engine::Postgres {
        let waiting = format!(
            "pg_locks WHERE NOT granted AND relation = '{}.users'::regclass",
            scene.database.schema
        );
        until("a page is written", super::fixture::WITHIN, async || {
            (scene.database.count(&waiting) == 1).then_some(())
        })
        .await;
    }
}

async fn ended(scene: &Scene, heir: &Service, id: &str) {
    let job = Operator::of(&heir.origin()).until(id, "succeeded").await;
    assert_eq!(counted(&job), all_new(USERS));
    assert_eq!(scene.job("fence").as_deref(), Some("2"));
    scene.assert_complete();
}

both_engines! {
    async fn another_replica_goes_on_where_a_killed_one_stood(engine) {
        let scene = Scene::of(engine, USERS);
        let (id, place) = left_behind(&scene).await;
        let asked = scene.pages.asked().len();
        scene.pages.open_all();
        let heir = scene.service().await;
        ended(&scene, &heir, &id).await;
        assert_eq!(scene.pages.asked()[asked], place);
        assert_eq!(scene.pages.repeated(), 1, "the page that was on its way, and no committed one");
    }

    async fn one_killed_while_it_writes_a_page_costs_that_page_and_no_other(engine) {
        let scene = Scene::of(engine, USERS);
        scene.pages.open(1);
        let mut dying = scene.service().await;
        let heir = scene.service().await;
        // Whoever is idle while the job runs would take it up at once, were there no lease.
        let id = Operator::of(&dying.origin()).backfill().await;
        scene.until_seen(PAGE).await;
        scene.pages.until_asked(2).await;
        let runs_here = |service: &Service| service.log().contains("the job runs here");
        assert!(runs_here(&dying) != runs_here(&heir), "one of the two");
        let heir = if runs_here(&dying) { heir } else { std::mem::replace(&mut dying, heir) };
        let hold = Hold::writers_of(&scene.database);
        scene.pages.open(2);
        scene.pages.until_asked(3).await;
        until_writing(&scene).await;
        dying.kill();
        hold.release();
        assert_eq!(scene.seen(), u64::try_from(PAGE).unwrap());
        scene.pages.open_all();
        ended(&scene, &heir, &id).await;
        assert_eq!(scene.pages.repeated(), 2, "the page that was not committed, and the one on its way");
    }

    async fn the_command_line_takes_up_what_a_replica_left_behind(engine) {
        let scene = Scene::of(engine, USERS);
        let (id, place) = left_behind(&scene).await;
        let asked = scene.pages.asked().len();
        scene.pages.open_all();
        let run = scene.run(&["backfill", "--json"]).await;
        assert_eq!(run.status, Some(0), "{run:?}");
        let job: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&job["id"], &job["state"]), (&id.into(), &"succeeded".into()));
        assert_eq!(counted(&job), all_new(USERS));
        assert_eq!(scene.job("fence").as_deref(), Some("2"));
        assert_eq!((scene.pages.asked()[asked].as_str(), scene.pages.repeated()), (&*place, 1));
        scene.assert_complete();
    }

    async fn a_job_killed_twice_still_counts_everybody_once(engine) {
        let scene = Scene::of(engine, USERS);
        left_behind(&scene).await;
        let mut second = scene.service().await;
        scene.pages.open(3);
        scene.until_seen(3 * PAGE).await;
        scene.pages.until_asked(4).await;
        second.kill();
        scene.pages.open_all();
        let run = scene.run(&["backfill", "--json"]).await;
        let job: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.status, counted(&job)), (Some(0), all_new(USERS)));
        assert_eq!((scene.job("fence").as_deref(), scene.pages.repeated()), (Some("3"), 2));
        scene.assert_complete();
    }
}
