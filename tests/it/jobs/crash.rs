//! A job whose process died: the next replica, or the command line, goes on where it stood.

use super::fixture::{JobFixture, PAGE, USERS, all_new, counted};
use crate::support::{AppProcess, WriterLock};
use serde_json::Value;

/// A job of two committed pages, whose replica died while it waited for the third; and the
/// cursor of that.
async fn left_behind(fixture: &JobFixture) -> (String, String) {
    fixture.pages.open(2);
    let mut dying = fixture.service().await;
    let id = dying.start_backfill().await;
    fixture.until_seen(2 * PAGE).await;
    fixture.pages.until_asked(3).await;
    let place = fixture.last_seen(&dying, &id).await;
    assert_eq!(place, fixture.ids()[2 * PAGE - 1]);
    dying.kill();
    assert_eq!(fixture.job("state").as_deref(), Some("running"));
    (id, place)
}

async fn ended(fixture: &JobFixture, heir: &AppProcess, id: &str) {
    let job = heir.job_in_state(id, "succeeded").await;
    assert_eq!(counted(&job), all_new(USERS));
    assert_eq!(fixture.job("fence").as_deref(), Some("2"));
    fixture.assert_complete();
}

both_engines! {
    async fn another_replica_goes_on_where_a_killed_one_stood(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let (id, place) = left_behind(&fixture).await;
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
        let lock = WriterLock::on(&fixture.database);
        fixture.pages.open(2);
        fixture.pages.until_asked(3).await;
        fixture.until_writing().await;
        dying.kill();
        lock.release();
        assert_eq!(fixture.seen(), u64::try_from(PAGE).unwrap());
        fixture.pages.open_all();
        ended(&fixture, &heir, &id).await;
        assert_eq!(fixture.pages.repeated(), 2, "the page that was not committed, and the one on its way");
    }

    async fn the_command_line_takes_up_what_a_replica_left_behind(engine) {
        let fixture = JobFixture::of(engine, USERS);
        let (id, place) = left_behind(&fixture).await;
        let asked = fixture.pages.asked().len();
        fixture.pages.open_all();
        let run = fixture.run(&["backfill", "--json"]).await;
        assert_eq!(run.status, Some(0), "{run:?}");
        let job: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&job["id"], &job["state"]), (&id.into(), &"succeeded".into()));
        assert_eq!(counted(&job), all_new(USERS));
        assert_eq!(fixture.job("fence").as_deref(), Some("2"));
        assert_eq!((fixture.pages.asked()[asked].as_str(), fixture.pages.repeated()), (&*place, 1));
        fixture.assert_complete();
    }

    async fn a_job_killed_twice_still_counts_everybody_once(engine) {
        let fixture = JobFixture::of(engine, USERS);
        left_behind(&fixture).await;
        let mut second = fixture.service().await;
        fixture.pages.open(3);
        fixture.until_seen(3 * PAGE).await;
        fixture.pages.until_asked(4).await;
        second.kill();
        fixture.pages.open_all();
        let run = fixture.run(&["backfill", "--json"]).await;
        let job: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.status, counted(&job)), (Some(0), all_new(USERS)));
        assert_eq!((fixture.job("fence").as_deref(), fixture.pages.repeated()), (Some("3"), 2));
        fixture.assert_complete();
    }
}
