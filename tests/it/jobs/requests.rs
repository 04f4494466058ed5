//! Who may start a job, and which.

use super::fixture::{JobFixture, PAGE};
use crate::support::{ADMIN_TOKEN, READ_TOKEN, TestApp, user_id};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

const UNKNOWN: &str = "0190a000-0000-7000-8000-000000000000";

/// Tokens that may do nothing with jobs, and how they are answered.
const REFUSED: [(Option<&str>, u16, &str); 3] = [
    (None, 401, "unauthorized"),
    (Some("wrong"), 401, "unauthorized"),
    (Some(READ_TOKEN), 403, "forbidden"),
];

both_engines! {
    async fn one_job_of_a_kind_is_active_and_later_requests_are_shown_it(engine) {
        let fixture = JobFixture::of(engine, 3);
        fixture.pages.open(0);
        let app = fixture.replica(&[]).await;
        let first = app.ask(Method::POST, "/v1/jobs", Some(json!({"kind": "backfill"}))).await;
        let id = first.body["id"].as_str().unwrap();
        let location = format!("/v1/jobs/{id}");
        assert_eq!(first.status, 202);
        assert_eq!(first.headers["location"], location);
        assert_eq!(first.headers["cache-control"], "no-store");
        fixture.pages.until_asked(1).await;
        for body in [json!({"kind": "backfill"}), json!({"kind": "backfill", "dry_run": true})] {
            let second = app.ask(Method::POST, "/v1/jobs", Some(body)).await;
            second.assert_problem(409, "job_active");
            assert_eq!(second.headers["location"], location);
            assert_eq!(second.headers["cache-control"], "no-store");
            assert_eq!(app.get_as(ADMIN_TOKEN, second.headers["location"].to_str().unwrap()).await.body["id"], id);
        }
        // A job of another kind may run beside it.
        let other = app.start_job(json!({"kind": "reconcile", "dry_run": true})).await;
        app.job_in_state(&other, "running").await;
        assert_eq!(app.job(id).await["state"], "running");
        fixture.pages.open_all();
        app.job_in_state(&other, "succeeded").await;
        app.job_in_state(id, "succeeded").await;
        app.finish_job(json!({"kind": "backfill"})).await;
    }

    async fn of_many_who_ask_at_once_exactly_one_starts_a_job(engine) {
        const ASKING: usize = 20;
        let fixture = JobFixture::of(engine, 3);
        fixture.pages.open(0);
        let replicas = fixture.replicas(2, &[]).await;
        let mut asking = JoinSet::new();
        for number in 0..ASKING {
            let client = replicas[number % 2].client.clone();
            asking.spawn(async move { client.ask(Method::POST, "/v1/jobs", Some(json!({"kind": "backfill"}))).await });
        }
        let answers = asking.join_all().await;
        let started: Vec<_> = answers.iter().filter(|answer| answer.status == 202).collect();
        assert_eq!(started.len(), 1, "{answers:?}");
        for answer in &answers {
            assert_eq!(answer.headers["location"], started[0].headers["location"]);
            assert!(answer.status == 202 || answer.code() == "job_active", "{answer:?}");
        }
        assert_eq!(fixture.database.count("jobs"), 1);
        fixture.pages.open_all();
    }

    async fn only_an_operator_starts_sees_and_cancels_jobs(engine) {
        let fixture = JobFixture::of(engine, 1);
        let app = fixture.replica(&[("USERSYNC_WORKERS", "off")]).await;
        let id = app.start_backfill().await;
        let session = fixture.emulator.session_token(&fixture.ids()[0]);
        let (shown, cancel) = (format!("/v1/jobs/{id}"), format!("/v1/jobs/{id}/cancel"));
        let body = json!({"kind": "reconcile"}).to_string();
        for (method, path, body) in [
            (Method::POST, "/v1/jobs", Some(body)),
            (Method::GET, "/v1/jobs", None),
            (Method::GET, &shown, None),
            (Method::POST, &cancel, None),
        ] {
            for (token, status, code) in REFUSED.into_iter().chain([(Some(&*session), 401, "unauthorized")]) {
                let answer = app.ask_as(token, method.clone(), path, body.clone()).await;
                assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{method} {path} {token:?}");
                assert_eq!(answer.headers["cache-control"], "no-store");
            }
        }
        assert_eq!(app.job(&id).await["state"], "queued");
        assert_eq!(fixture.database.count("jobs"), 1);
    }

    async fn a_body_of_another_shape_is_refused_and_says_what_to_send(engine) {
        let (fixture, app) = JobFixture::with_replica(engine, 1).await;
        let shapes = [
            json!({}),
            json!([]),
            json!(null),
            json!("backfill"),
            json!({"kind": "import"}),
            json!({"kind": "Backfill"}),
            json!({"kind": null}),
            json!({"kind": ["backfill"]}),
            json!({"kind": "backfill", "dry-run": true}),
            json!({"kind": "backfill", "state": "succeeded"}),
            json!({"kind": "backfill", "dry_run": "yes"}),
            json!({"kind": "backfill", "dry_run": null}),
            json!({"kind": "backfill", "allow_mass_delete": true}),
            json!({"kind": "drift", "allow_mass_delete": true}),
        ];
        let broken = ["", "{\"kind\": \"backfill\"", "kind=backfill", "{\"kind\": \"backfill\"} x", "\u{0}"];
        let shapes = shapes.iter().map(ToString::to_string);
        for body in shapes.chain(broken.map(str::to_owned)) {
            let answer = app.ask_as(Some(ADMIN_TOKEN), Method::POST, "/v1/jobs", Some(body.clone())).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_body"), "{body}");
            assert!(answer.body["detail"].as_str().unwrap().contains("{\"kind\":\"backfill\"}"), "{body}");
        }
        assert_eq!(fixture.database.count("jobs"), 0);
        assert_eq!(fixture.emulator.counts().all_requests(), 0);
    }

    async fn an_id_that_no_job_has_is_not_found_however_it_is_spelt(engine) {
        let (_fixture, app) = JobFixture::with_replica(engine, 1).await;
        let longest = "x".repeat(PAGE);
        for id in [UNKNOWN, "%00", "a%00b", "%27%20OR%201=1", "%C3%A9", "..%2Fusers", &user_id(1), &longest] {
            let (shown, cancelled) = (app.get_as(ADMIN_TOKEN, &format!("/v1/jobs/{id}")).await, app.cancel_job(id).await);
            for answer in [shown, cancelled] {
                assert_eq!((answer.status.as_u16(), answer.code()), (404, "job_not_found"), "{id}");
                assert_eq!(answer.headers["cache-control"], "no-store");
            }
        }
    }

    async fn without_an_api_key_nothing_is_started_and_the_rest_is_shown(app = TestApp::start) {
        for kind in ["backfill", "reconcile", "drift"] {
            let answer = app.ask(Method::POST, "/v1/jobs", Some(json!({"kind": kind}))).await;
            answer.assert_problem(503, "api_not_configured");
            assert!(answer.body["detail"].as_str().unwrap().contains("CLERK_SECRET_KEY"));
        }
        assert_eq!(app.get_as(ADMIN_TOKEN, "/v1/jobs").await.body, json!({"data": [], "next_cursor": null}));
        assert_eq!(app.get_as(ADMIN_TOKEN, &format!("/v1/jobs/{UNKNOWN}")).await.code(), "job_not_found");
        assert_eq!(app.database.count("jobs"), 0);
    }
}
