//! A job whose process died, or was suspended for longer than its lease: it goes on elsewhere, and
//! under one lease at a time.

use super::fixture::{JobFixture, PAGE, USERS, all_new, counted};
use crate::support::{AppProcess, Engine, WriterLock};

/// A job of two committed pages, whose replica died while it waited for the third; and the
/// cursor of that.
async fn left_behind(engine: Engine) -> (JobFixture, String, String) {
    let fixture = JobFixture::of(engine, USERS);
    fixture.pages.open(2);
    let mut dying = fixture.service().await;
    let id = dying.start_backfill().await;
    fixture.until_seen(2 * PAGE).await;
    fixture.pages.until_asked(3).await;
    let place = fixture.last_seen(&dying, &id).await;
    assert_eq!(place, fixture.ids()[2 * PAGE - 1]);
    dying.kill();
    assert_eq!(fixture.job("state").as_deref(), Some("running"));
    (fixture, id, place)
}

async fn ended(fixture: &JobFixture, heir: &AppProcess, id: &str) {
    fixture.assert_done(&heir.job_in_state(id, "succeeded").await, "2");
}

const LOST: &str = "its lease was lost";

/// A job of one committed page whose replica is suspended while it writes the second one.
/// All pages are open to others.
async fn paused_while_writing(engine: Engine) -> (JobFixture, AppProcess, String) {
    let fixture = JobFixture::of(engine, USERS);
    let (replica, id) = fixture.service_at_second_page().await;
    note_steps(&fixture);
    let lock = hold_second_page(&fixture).await;
    replica.suspend();
    lock.release();
    fixture.pages.open_all();
    assert_eq!(fixture.seen(), u64::try_from(PAGE).unwrap());
    (fixture, replica, id)
}

/// The second page comes through, and cannot be written.
async fn hold_second_page(fixture: &JobFixture) -> WriterLock {
    let lock = WriterLock::on(&fixture.database);
    fixture.pages.open(2);
    fixture.pages.until_asked(3).await;
    fixture.until_writing().await;
    lock
}

fn note_steps(fixture: &JobFixture) {
    fixture.database.execute(match fixture.database.engine {
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

fn steps(fixture: &JobFixture) -> Vec<String> {
    let mut steps = fixture.database.texts("SELECT step AS value FROM steps ORDER BY at");
    steps.dedup();
    steps
}

/// The heir counts on from the one page that the first one committed.
fn assert_nothing_under_the_old_lease(fixture: &JobFixture) {
    let heirs = ["2 500", "2 1000", "2 1500", "2 1600"];
    let steps = steps(fixture);
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let own = steps.strip_suffix(&heirs).unwrap_or_else(|| panic!("{steps:?}"));
    assert!(own.iter().all(|step| *step == "1 500"), "{steps:?}");
}

both_engines! {
    async fn another_replica_goes_on_where_a_killed_one_stood((fixture, id, place) = left_behind) {
        let asked = fixture.pages.asked().len();
        fixture.pages.open_all();
        let heir = fixture.service().await;
        ended(&fixture, &heir, &id).await;
        assert_eq!(fixture.pages.asked()[asked], place);
        assert_eq!(fixture.pages.repeated(), 1, "the page that was on its way, and no committed one");
    }

    async fn one_killed_while_it_writes_a_page_costs_that_page_and_no_other(engine) {
        let fixture = JobFixture::of(engine, USERS);
        fixture.pages.open(1);
        let mut dying = fixture.service().await;
        let heir = fixture.service().await;
        // Without a lease the idle replica would take the job up at once.
        let id = dying.start_backfill().await;
        fixture.until_second_page().await;
        let runs_here = |service: &AppProcess| service.log().contains("the job runs here");
        assert!(runs_here(&dying) != runs_here(&heir), "one of the two");
        let heir = if runs_here(&dying) { heir } else { std::mem::replace(&mut dying, heir) };
        let lock = hold_second_page(&fixture).await;
        dying.kill();
        lock.release();
        assert_eq!(fixture.seen(), u64::try_from(PAGE).unwrap());
        fixture.pages.open_all();
        ended(&fixture, &heir, &id).await;
        assert_eq!(fixture.pages.repeated(), 2, "the page that was not committed, and the one on its way");
    }

    async fn the_command_line_takes_up_what_a_replica_left_behind((fixture, id, place) = left_behind) {
        let asked = fixture.pages.asked().len();
        fixture.pages.open_all();
        let job = fixture.run_backfill().await;
        assert_eq!((&job["id"], &job["state"]), (&id.into(), &"succeeded".into()));
        fixture.assert_done(&job, "2");
        assert_eq!((fixture.pages.asked()[asked].as_str(), fixture.pages.repeated()), (&*place, 1));
    }

    async fn a_job_killed_twice_still_counts_every_user_once((fixture, ..) = left_behind) {
        let mut second = fixture.service().await;
        fixture.pages.open(3);
        fixture.until_seen(3 * PAGE).await;
        fixture.pages.until_asked(4).await;
        second.kill();
        fixture.pages.open_all();
        assert_eq!(counted(&fixture.run_backfill().await), all_new(USERS));
        assert_eq!((fixture.job("fence").as_deref(), fixture.pages.repeated()), (Some("3"), 2));
        fixture.assert_complete();
    }

    async fn a_replica_that_wakes_after_another_took_over_changes_nothing((fixture, sleeper, id) = paused_while_writing) {
        let heir = fixture.service().await;
        fixture.assert_done(&heir.job_in_state(&id, "succeeded").await, "2");
        let standing = fixture.standing();
        sleeper.resume();
        sleeper.logged(LOST).await;
        assert!(fixture.standing() == standing, "the woken one changed something");
        assert_nothing_under_the_old_lease(&fixture);
        let next = sleeper.start_backfill().await;
        assert_eq!(counted(&sleeper.job_in_state(&next, "succeeded").await)["unchanged"], USERS);
    }

    async fn a_replica_that_wakes_late_commits_nothing_under_its_expired_lease(engine) {
        let (fixture, sleeper, id) = paused_while_writing(engine).await;
        let over = format!("jobs WHERE leased_until < {}", engine.clock());
        fixture.database.until_count(&over, 1).await;
        sleeper.resume();
        fixture.assert_done(&sleeper.job_in_state(&id, "succeeded").await, "2");
        assert!(sleeper.log().contains(LOST));
        assert_nothing_under_the_old_lease(&fixture);
    }

    async fn a_replica_paused_for_less_than_its_lease_goes_on_as_if_nothing_had_happened(engine) {
        let (fixture, sleeper, id) = paused_while_writing(engine).await;
        sleeper.resume();
        fixture.assert_done(&sleeper.job_in_state(&id, "succeeded").await, "1");
        assert_eq!(fixture.pages.repeated(), 0);
    }
}
