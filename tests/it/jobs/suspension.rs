//! A replica that was suspended for longer than its lease, and resumed.

use super::fixture::{JobFixture, PAGE, USERS, all_new, counted};
use crate::support::{AppProcess, Engine, WriterLock, until};

const LOST: &str = "its lease was lost";

/// A job of one committed page whose replica is suspended while it writes the second one.
/// All pages are open to others.
async fn paused_while_writing(fixture: &JobFixture) -> (AppProcess, String) {
    fixture.pages.open(1);
    let replica = fixture.service().await;
    let id = replica.start_backfill().await;
    fixture.until_second_page().await;
    note_steps(fixture);
    let lock = WriterLock::on(&fixture.database);
    fixture.pages.open(2);
    fixture.pages.until_asked(3).await;
    fixture.until_writing().await;
    replica.suspend();
    lock.release();
    fixture.pages.open_all();
    assert_eq!(fixture.seen(), u64::try_from(PAGE).unwrap());
    (replica, id)
}

/// Makes the database record every change of a job: its fence, and how many it has counted.
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

/// What was recorded, without repetitions.
fn steps(fixture: &JobFixture) -> Vec<String> {
    let steps = fixture.database.query("SELECT step AS value FROM steps ORDER BY at");
    let mut steps: Vec<String> = steps.into_iter().flatten().collect();
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
    async fn a_replica_that_wakes_after_another_took_over_changes_nothing(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let (sleeper, id) = paused_while_writing(&fixture).await;
        let heir = fixture.service().await;
        let job = heir.job_in_state(&id, "succeeded").await;
        assert_eq!((counted(&job), fixture.job("fence").as_deref()), (all_new(USERS), Some("2")));
        fixture.assert_complete();
        let standing = fixture.standing();
        sleeper.resume();
        sleeper.logged(LOST).await;
        assert!(fixture.standing() == standing, "the woken one changed something");
        assert_nothing_under_the_old_lease(&fixture);
        let next = sleeper.start_backfill().await;
        assert_eq!(counted(&sleeper.job_in_state(&next, "succeeded").await)["unchanged"], USERS);
    }

    async fn a_replica_that_wakes_late_commits_nothing_under_its_old_lease_though_nobody_took_over(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let (sleeper, id) = paused_while_writing(&fixture).await;
        let over = match engine {
            Engine::Postgres => "jobs WHERE leased_until < clock_timestamp()",
            Engine::Sqlite => "jobs WHERE leased_until < strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        };
        until("the lease is over", async || (fixture.database.count(over) == 1).then_some(())).await;
        sleeper.resume();
        let job = sleeper.job_in_state(&id, "succeeded").await;
        assert_eq!((counted(&job), fixture.job("fence").as_deref()), (all_new(USERS), Some("2")));
        assert!(sleeper.log().contains(LOST));
        assert_nothing_under_the_old_lease(&fixture);
        fixture.assert_complete();
    }

    async fn a_replica_paused_for_less_than_its_lease_goes_on_as_if_nothing_had_happened(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let (sleeper, id) = paused_while_writing(&fixture).await;
        sleeper.resume();
        let job = sleeper.job_in_state(&id, "succeeded").await;
        assert_eq!((counted(&job), fixture.job("fence").as_deref()), (all_new(USERS), Some("1")));
        assert_eq!(fixture.pages.repeated(), 0);
        fixture.assert_complete();
    }
}
