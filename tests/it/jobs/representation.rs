//! How jobs are shown: each as it stands, and all in a list.

use super::fixture::{JobFixture, PAGE, USERS, counted};
use crate::support::{ADMIN_TOKEN, JOB_COUNTERS, JOB_FIELDS, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

fn assert_named(object: &Value, names: &[&str]) {
    let mut names = names.to_vec();
    names.sort_unstable();
    let mut found: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, names);
}

fn assert_shape(job: &Value) {
    assert_named(job, &JOB_FIELDS);
    assert_named(&job["counters"], &JOB_COUNTERS);
}

fn instant(job: &Value, field: &str) -> jiff::Timestamp {
    job[field].as_str().unwrap().parse().unwrap()
}

async fn listed(app: &TestApp, query: &str) -> (Vec<String>, Option<String>) {
    let answer = app.get_as(ADMIN_TOKEN, &format!("/v1/jobs{query}")).await;
    assert_eq!(answer.status, 200, "{query}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_named(&answer.body, &["data", "next_cursor"]);
    let jobs = answer.body["data"].as_array().unwrap();
    jobs.iter().for_each(assert_shape);
    let ids = jobs.iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect();
    (ids, answer.body["next_cursor"].as_str().map(str::to_owned))
}

both_engines! {
    async fn a_job_is_shown_as_it_stands_from_its_making_to_its_end(engine) {
        let fixture = JobFixture::of(engine, USERS);
        fixture.pages.open(0);
        let idle = fixture.replica(&[("USERSYNC_WORKERS", "off")]).await;
        let queued = idle.ask(Method::POST, "/v1/jobs", Some(json!({"kind": "backfill"}))).await.body;
        assert_shape(&queued);
        assert_eq!((&queued["kind"], &queued["state"], &queued["dry_run"]), (&json!("backfill"), &json!("queued"), &json!(false)));
        assert_eq!(counted(&queued), json!({}));
        for unknown in ["cursor", "expected", "rate_per_second", "seconds_left", "started_at", "finished_at", "error", "write_back", "drift"] {
            assert_eq!(queued[unknown], Value::Null, "{unknown}");
        }
        let id = queued["id"].as_str().unwrap();
        assert_eq!(idle.job(id).await, queued);

        let app = fixture.replica(&[]).await;
        fixture.pages.until_asked(1).await;
        fixture.pages.open(2);
        fixture.until_seen(2 * PAGE).await;
        let running = app.job(id).await;
        assert_shape(&running);
        assert_eq!((&running["state"], &running["expected"]), (&json!("running"), &json!(USERS)));
        assert_eq!(counted(&running)["seen"], 2 * PAGE);
        assert_eq!(running["cursor"], format!("scan:{}", fixture.ids()[2 * PAGE - 1]));
        assert!(running["rate_per_second"].as_f64().unwrap() > 0.0 && running["seconds_left"].is_u64(), "{running}");
        assert_eq!((&running["finished_at"], &running["error"]), (&Value::Null, &Value::Null));

        fixture.pages.open_all();
        let ended = app.job_in_state(id, "succeeded").await;
        assert_shape(&ended);
        assert_eq!(ended["started_at"], running["started_at"]);
        let took = instant(&ended, "finished_at").duration_since(instant(&ended, "started_at"));
        let rate = f64::from(u32::try_from(USERS).unwrap()) / took.as_secs_f64();
        assert!((ended["rate_per_second"].as_f64().unwrap() - rate).abs() < rate / 20.0 + 0.2, "{ended} {rate}");
        assert_eq!((&ended["expected"], &ended["seconds_left"], &ended["error"]), (&json!(USERS), &Value::Null, &Value::Null));
        assert_eq!(idle.job(id).await, ended);
    }

    async fn jobs_are_listed_newest_first_page_by_page(engine) {
        let (_fixture, app) = JobFixture::with_replica(engine, 2).await;
        let mut ids = Vec::new();
        for kind in ["backfill", "reconcile", "backfill", "backfill", "reconcile"] {
            let job = app.finish_job(json!({"kind": kind, "dry_run": true})).await;
            ids.insert(0, job["id"].as_str().unwrap().to_owned());
        }
        assert_eq!(listed(&app, "").await, (ids.clone(), None));
        assert_eq!(listed(&app, "?limit=5").await, (ids.clone(), None));
        let (first, cursor) = listed(&app, "?limit=2").await;
        // A job that is made meanwhile moves no page.
        app.finish_job(json!({"kind": "backfill"})).await;
        let (second, next) = listed(&app, &format!("?limit=2&cursor={}", cursor.unwrap())).await;
        let (third, end) = listed(&app, &format!("?limit=2&cursor={}", next.unwrap())).await;
        assert_eq!(([first, second, third].concat(), end), (ids, None));
        for (query, code) in [
            ("?limit=0", "invalid_limit"),
            ("?limit=501", "invalid_limit"),
            ("?limit=two", "invalid_limit"),
            ("?cursor=%00", "invalid_parameter"),
            ("?cursor=!", "invalid_cursor"),
            ("?state=running", "unknown_parameter"),
        ] {
            app.get_as(ADMIN_TOKEN, &format!("/v1/jobs{query}")).await.assert_problem(400, code);
        }
    }

    async fn a_job_that_cannot_go_on_says_why(engine) {
        let fixture = JobFixture::of(engine, 2);
        let app = fixture.replica(&[("CLERK_INSTANCE_ID", "ins_another")]).await;
        let id = app.start_backfill().await;
        let job = app.job_in_state(&id, "failed").await;
        assert_shape(&job);
        assert!(job["error"].as_str().unwrap().starts_with("wrong_instance: "), "{job}");
        assert!(instant(&job, "finished_at") >= instant(&job, "started_at"));
        assert_eq!(counted(&job), json!({}));
        assert_eq!(fixture.database.count("users"), 0);
    }
}
