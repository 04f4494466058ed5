//! The command line says what is in the way of a job, and writes nothing.

use super::fixture::{JobFixture, counted};
use crate::support::{Program, TestDatabase, TestEmulator};
use serde_json::{Value, json};

const WRONG_KEY: &str = "sk_test_usersync_emulator_0000000000000000000000000000";

both_engines! {
    async fn without_a_key_it_is_said_which_one_to_set(engine) {
        let database = TestDatabase::new(engine);
        let commands = [&["backfill"][..], &["backfill", "--json"], &["reconcile", "--dry-run"]];
        for arguments in commands {
            let run = Program::on(&database).run(arguments);
            assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""), "{run:?}");
            assert!(run.stderr.contains("set CLERK_SECRET_KEY to the secret key"), "{run:?}");
        }
        assert!(!database.sqlite_path().exists());
    }

    async fn a_key_that_is_refused_fails_the_job_and_is_named(engine) {
        let fixture = JobFixture::of(engine, 3);
        let key = [("CLERK_SECRET_KEY", WRONG_KEY)];
        let run = fixture.run_with(&key, &["backfill"]).await;
        assert_eq!(run.status, Some(1), "{run:?}");
        let error = fixture.job("error").unwrap();
        assert!(error.contains("refuses the API key (401)"), "{error}");
        let id = fixture.job("id").unwrap();
        assert!(run.stderr.contains(&format!("job {id} is failed: {error}")), "{run:?}");
        assert!(run.stderr.contains("CLERK_SECRET_KEY"), "nobody says what to set: {run:?}");
        let run = fixture.run_with(&key, &["backfill", "--json"]).await;
        let job: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.status, &job["state"], &job["error"]), (Some(1), &json!("failed"), &json!(error)));
        for table in ["users", "write_backs", "pinned_instances"] {
            assert_eq!(fixture.database.count(table), 0, "{table}");
        }
        assert!(!format!("{run:?}{}", fixture.database.dump()).contains(WRONG_KEY));
        assert_eq!(fixture.run(&["backfill"]).await.status, Some(0));
        fixture.assert_complete();
    }

    async fn a_key_of_another_instance_fails_every_job_and_nothing_is_written(engine) {
        let fixture = JobFixture::of(engine, 4);
        assert_eq!(fixture.run(&["backfill"]).await.status, Some(0));
        let rows = fixture.rows();
        let wrong = TestEmulator::of_instance("ins_another", 7);
        let own = wrong.credentials();
        let theirs = [("CLERK_API_URL", own.api_url.as_str()), ("CLERK_SECRET_KEY", own.secret_key.as_str())];
        for arguments in [
            &["backfill"][..],
            &["reconcile"],
            &["reconcile", "--allow-mass-delete"],
            &["backfill", "--dry-run"],
            &["reconcile", "--dry-run"],
        ] {
            let run = fixture.run_with(&theirs, arguments).await;
            assert_eq!(run.status, Some(1), "{arguments:?}: {run:?}");
            let message = "is failed: wrong_instance: the API key belongs to ins_another, this table to ins_usersyncEmulator";
            assert!(run.stderr.contains(message), "{arguments:?}: {run:?}");
            assert!(run.stderr.contains("Set CLERK_SECRET_KEY to a key of that instance"), "{run:?}");
        }
        assert!(fixture.rows() == rows, "something was written");
        assert_eq!(fixture.jobs("state")[1..], vec![Some("failed".to_owned()); 5]);
        let counts = wrong.counts();
        assert_eq!((counts.requests_of("list"), counts.requests_of("count")), (0, 0));
    }

    /// Nothing is pinned, but there are rows, and the key knows none of them.
    async fn a_key_that_knows_no_user_of_the_table_is_refused(engine) {
        let fixture = JobFixture::of(engine, 4);
        assert_eq!(fixture.run(&["backfill"]).await.status, Some(0));
        fixture.database.execute("DELETE FROM pinned_instances");
        let rows = fixture.rows();
        let wrong = TestEmulator::with_users(2);
        let own = wrong.credentials();
        let theirs = [("CLERK_API_URL", own.api_url.as_str()), ("CLERK_SECRET_KEY", own.secret_key.as_str())];
        for arguments in [&["backfill"][..], &["backfill", "--dry-run"], &["reconcile", "--allow-mass-delete"]] {
            let run = fixture.run_with(&theirs, arguments).await;
            assert_eq!(run.status, Some(1), "{run:?}");
            assert!(run.stderr.contains("wrong_instance"), "{run:?}");
        }
        assert!(fixture.rows() == rows, "something was written");
        assert_eq!(fixture.database.count("pinned_instances"), 0);
    }

    async fn a_job_with_other_options_is_not_taken_for_the_one_that_was_asked_for(engine) {
        let fixture = JobFixture::of(engine, 3);
        let idle = fixture.replica(&[("USERSYNC_WORKERS", "off")]).await;
        let dry = idle.start_job(json!({"kind": "backfill", "dry_run": true})).await;
        let bold = idle.start_job(json!({"kind": "reconcile", "allow_mass_delete": true})).await;
        for (arguments, id) in [
            (&["backfill"][..], &dry),
            (&["reconcile"], &bold),
            (&["reconcile", "--dry-run", "--allow-mass-delete"], &bold),
        ] {
            let run = fixture.run(arguments).await;
            assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""), "{run:?}");
            let message = format!("with other options is active: job {id}. Run it to its end first, or cancel it with POST /v1/jobs/{id}/cancel");
            assert!(run.stderr.contains(&message), "{run:?}");
        }
        assert_eq!(fixture.jobs("state"), [Some("queued".into()), Some("queued".into())]);
        assert_eq!((fixture.database.count("users"), fixture.emulator.counts().all_requests()), (0, 0));
        let run = fixture.run(&["backfill", "--dry-run", "--json"]).await;
        let job: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.status, job["id"].as_str(), &counted(&job)["seen"]), (Some(0), Some(&*dry), &json!(3)));
        assert_eq!(idle.cancel_job(&bold).await.body["state"], "cancelled");
        assert_eq!(fixture.run(&["reconcile"]).await.status, Some(0));
    }
}
