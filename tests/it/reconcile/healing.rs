//! Differences are counted exactly and healed, whatever goes wrong meanwhile; and once is enough.

use super::{assert_agreed, assert_counted, backfill, many, reconcile, rows};
use crate::support::{ApiFault, Engine, Proxy, TestApp, TestDatabase, TestEmulator};
use clerk_emulator::Faults;
use serde_json::{Value, json};

/// Our id is the provider's, and stands there already: nothing has to be written back.
const OWN_IDS: (&str, &str) = ("USERSYNC_USER_ID", "external");

#[derive(Clone, Copy)]
pub(super) struct Planted {
    pub(super) missing: usize,
    pub(super) stale: usize,
    pub(super) extra: usize,
}

/// A table in step with a provider that holds all that it should: nothing is due.
pub(super) async fn in_step(engine: Engine) -> (TestApp, Proxy) {
    let emulator = TestEmulator::with_users(many());
    for id in emulator.issued_ids() {
        settle(&emulator, &id);
    }
    let proxy = Proxy::to(&emulator);
    let variables = [OWN_IDS, ("CLERK_API_URL", proxy.url.as_str())];
    let database = TestDatabase::new(engine);
    let app = TestApp::builder(database)
        .emulator(&emulator)
        .manual_events()
        .variables(&variables)
        .start()
        .await;
    let users = many();
    assert_counted(
        &backfill(&app).await,
        &[("seen", users), ("created", users), ("missing", users)],
    );
    assert_agreed(&app);
    (app, proxy)
}

fn settle(emulator: &TestEmulator, id: &str) {
    let known = json!({"dbId": id, "role": "user"});
    emulator.merge_public_metadata(id, known).unwrap();
}

/// Makes users differ, without events. Those at the seam of two pages are among them.
pub(super) fn plant(app: &TestApp) -> Planted {
    let ids = app.emulator.issued_ids();
    let every = |rest| ids.iter().enumerate().filter(move |(place, _)| place % 20 == rest);
    let of = |rest| every(rest).map(|(_, id)| id.clone()).collect::<Vec<String>>();
    let dropped = of(3);
    let listed: Vec<String> = dropped.iter().map(|id| format!("'{id}'")).collect();
    for some in listed.chunks(500) {
        let listed = some.join(", ");
        app.database.execute(&format!("DELETE FROM users WHERE external_id IN ({listed})"));
    }
    let new = (0..7).map(|number| app.sign_up(&format!("Newcomer{number}")));
    new.for_each(|id| settle(&app.emulator, &id));
    let stale = of(7);
    for id in &stale {
        app.emulator.update_user(id, json!({"first_name": "Changed"})).unwrap();
    }
    let few = 10.max(app.database.count("users_live") / 200);
    let seam = [499, 500].map(|place| ids[place].clone());
    let gone: Vec<String> = seam.into_iter().chain(of(11)).take(few).collect();
    app.lose(&gone);
    Planted { missing: dropped.len() + 7, stale: stale.len(), extra: gone.len() }
}

pub(super) fn found(app: &TestApp, planted: &Planted) -> [(&'static str, usize); 7] {
    let (users, Planted { missing, stale, extra }) = (app.emulator.users().len(), *planted);
    [
        ("seen", users),
        ("created", missing),
        ("updated", stale + extra),
        ("unchanged", users - missing - stale),
        ("missing", missing),
        ("stale", stale),
        ("extra", extra),
    ]
}

fn assert_silent(app: &TestApp) {
    assert_eq!(app.outbox(), [""; 0]);
    assert_eq!(app.emulator.counts().requests_of("metadata_patch"), 0);
}

async fn assert_settled(app: &TestApp, kind: &str) {
    let before = rows(&app.database);
    let job: Value = app.run_job(json!({"kind": kind})).await;
    let users = app.emulator.users().len();
    assert_counted(&job, &[("seen", users), ("unchanged", users)]);
    assert!(rows(&app.database) == before, "a row was written by {job}");
    assert_silent(app);
}

both_engines! {
    async fn what_differs_is_counted_exactly_and_healed_and_a_second_run_does_nothing((app, proxy) = in_step) {
        let planted = plant(&app);
        let troubles = || ApiFault::ALL.into_iter().cycle().take(2 * ApiFault::ALL.len());
        proxy.inject(troubles());
        assert_counted(&reconcile(&app).await, &found(&app, &planted));
        assert_eq!(proxy.faults_left(), 0, "every trouble was met");
        assert_eq!(app.emptied(), planted.extra);
        assert_agreed(&app);
        assert_silent(&app);
        for kind in ["reconcile", "backfill"] {
            assert_settled(&app, kind).await;
        }
    }

    async fn heavy_faults_of_the_provider_change_no_number((app, _relay) = in_step) {
        let planted = plant(&app);
        app.emulator.set_faults(Faults::Heavy);
        let job = reconcile(&app).await;
        app.emulator.set_faults(Faults::None);
        assert_counted(&job, &found(&app, &planted));
        assert_agreed(&app);
        assert_settled(&app, "reconcile").await;
    }

    async fn a_backfill_creates_every_row_and_empties_none((app, proxy) = in_step) {
        let Planted { missing, stale, extra } = plant(&app);
        proxy.inject(ApiFault::ALL);
        let job = backfill(&app).await;
        let users = app.emulator.users().len();
        let rest = users - missing - stale;
        assert_counted(&job, &[
            ("seen", users), ("created", missing), ("updated", stale), ("unchanged", rest),
            ("missing", missing), ("stale", stale),
        ]);
        assert_eq!(app.database.count("users_live"), users + extra);
        assert_silent(&app);
    }
}
