//! The command line: a job is asked for and done there, and what it came to is printed.

use super::fixture::{JobFixture, all_new, counted};
use crate::support::{JOB_FIELDS, RunOutput, TestApp, field_names};
use clerk_emulator::Settings;
use serde_json::{Value, json};

fn object(run: &RunOutput) -> Value {
    assert_eq!(run.stdout.matches('\n').count(), 1, "{run:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

fn report(run: &RunOutput) -> String {
    let (first, counts) = run.stdout.split_once('\n').unwrap();
    let (title, _) = first.split_once(" compared").unwrap();
    format!("{title} compared\n{counts}")
}

/// Three users: one who lacks our id and role at the provider, one who holds an id that
/// is not ours, and one with an unknown role.
fn three(engine: crate::support::Engine) -> JobFixture {
    let fixture = JobFixture::with(engine, Settings::default());
    for fields in [
        json!({"first_name": "Ada"}),
        json!({"first_name": "Grace", "public_metadata": {"dbId": "somebody-elses", "role": "user"}}),
        json!({"first_name": "Barbara", "public_metadata": {"role": "wizard"}}),
    ] {
        fixture.emulator.create_user(fields);
    }
    fixture
}

const WRITING_BACK: (&str, &str) = ("USERSYNC_WRITE_BACK", "on");

both_engines! {
    async fn a_backfill_says_what_it_did_and_ends_well(engine) {
        let fixture = JobFixture::of(engine, 12);
        let run = fixture.run(&["backfill"]).await;
        assert_eq!(run.status, Some(0), "{run:?}");
        insta::allow_duplicates!(insta::assert_snapshot!(report(&run), @r"
        backfill: 12 users compared
                  12 rows created
                   0 rows updated
                   0 rows were up to date, or newer
                  12 users had no live row
        "));
        fixture.assert_complete();
        let id = &fixture.ids()[3];
        fixture.emulator.update_user(id, json!({"first_name": "Grace"}));
        let run = fixture.run(&["reconcile"]).await;
        insta::allow_duplicates!(insta::assert_snapshot!(report(&run), @r"
        reconcile: 12 users compared
                   0 rows created
                   1 rows updated
                  11 rows were up to date, or newer
                   1 rows were older than the provider's users
        "));
        assert_eq!(fixture.jobs("state"), [Some("succeeded".into()), Some("succeeded".into())]);
    }

    async fn for_machines_one_object_is_printed_and_nothing_else(engine) {
        let fixture = JobFixture::of(engine, 5);
        let run = fixture.run(&["backfill", "--json"]).await;
        let job = object(&run);
        assert_eq!((run.status, &job["state"], &job["kind"]), (Some(0), &json!("succeeded"), &json!("backfill")));
        assert_eq!((counted(&job), &job["expected"]), (all_new(5), &json!(5)));
        assert_eq!(field_names(&run.stdout), JOB_FIELDS);
        let app = fixture.replica(&[]).await;
        assert_eq!(app.job(job["id"].as_str().unwrap()).await, job);
    }

    async fn a_dry_run_changes_nothing_and_says_what_would_be_written_there(engine) {
        let fixture = three(engine);
        let run = fixture.run_with(&[WRITING_BACK], &["backfill", "--dry-run"]).await;
        assert_eq!(run.status, Some(0), "{run:?}");
        insta::allow_duplicates!(insta::assert_snapshot!(report(&run), @r"
        backfill (dry run, nothing is changed): 3 users compared
                   3 rows would be created
                   0 rows would be updated
                   0 rows were up to date, or newer
                   3 users had no live row
                   2 users would be written to at the provider: 2 given our id, 1 a role, 0 a plan
                   2 users have another id or an unknown role there, and are not changed
        "));
        let run = fixture.run_with(&[WRITING_BACK], &["reconcile", "--dry-run", "--json"]).await;
        let job = object(&run);
        assert_eq!((run.status, &job["dry_run"], counted(&job)), (Some(0), &json!(true), all_new(3)));
        assert_eq!(job["write_back"], json!({"users": 2, "id": 2, "role": 1, "plan": 0, "conflicts": 2}));
        for table in ["users", "write_backs", "pinned_instances", "job_candidates", "absences"] {
            assert_eq!(fixture.database.count(table), 0, "{table}");
        }
        let counts = fixture.emulator.counts();
        assert_eq!(counts.requests_of("metadata_patch") + counts.requests_of("metadata_put") + counts.requests_of("update"), 0);
    }

    async fn the_run_itself_does_what_the_dry_run_promised(engine) {
        let JobFixture { database, emulator, .. } = three(engine);
        let app = TestApp::builder(database).emulator(&emulator).start().await;
        let dry = app.finish_job(json!({"kind": "backfill", "dry_run": true})).await;
        let run = app.finish_job(json!({"kind": "backfill"})).await;
        assert_eq!((counted(&dry), counted(&run)), (all_new(3), all_new(3)));
        assert_eq!(run["write_back"], json!(null), "only a run that changes nothing tells");
        app.quiet().await;
        assert_eq!(app.emulator.counts().requests_of("metadata_patch"), dry["write_back"]["users"]);
        let held = |name: &str| app.emulator.users().iter().filter(|user| user["public_metadata"][name].is_string()).count();
        assert_eq!((held("dbId"), held("role")), (3, 3));
        let in_the_way = app.database.count("write_backs WHERE state LIKE 'conflict%'");
        assert_eq!(dry["write_back"]["conflicts"], in_the_way);
        let dry = app.finish_job(json!({"kind": "backfill", "dry_run": true})).await;
        assert_eq!(dry["write_back"], json!({"users": 0, "id": 0, "role": 0, "plan": 0, "conflicts": 2}));
    }

    async fn a_user_who_was_left_out_is_no_success(engine) {
        let fixture = JobFixture::of(engine, 3);
        let id = &fixture.ids()[1];
        fixture.pages.spoil(id);
        let run = fixture.run(&["backfill"]).await;
        assert_eq!(run.status, Some(1), "{run:?}");
        assert!(run.stdout.contains("1 users could not be read"), "{run:?}");
        assert!(run.stderr.contains("1 user(s) were left out; the log says which"), "{run:?}");
        assert!(run.stderr.lines().any(|line| line.contains("cannot be read") && line.contains(id)), "{run:?}");
        let run = fixture.run(&["backfill", "--json"]).await;
        assert_eq!((run.status, counted(&object(&run))), (Some(1), json!({"seen": 3, "failed": 1, "unchanged": 2})));
    }
}
