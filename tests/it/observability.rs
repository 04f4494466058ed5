//! Probes and metrics: where they answer, and what they show.

use crate::support::{Answer, Delivery, Engine, TestApp, TestDatabase, until_true, user, user_id};
use diesel::connection::SimpleConnection as _;
use serde_json::json;
use std::collections::BTreeSet;
use std::net::TcpListener;

const TYPES: [&str; 4] = ["other", "user.created", "user.deleted", "user.updated"];
const OUTCOMES: [&str; 6] =
    ["applied", "duplicate", "ignored", "quarantined", "stale", "tombstoned"];

fn labels(text: &str, name: &str, label: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let value =
        |line: &str| Some(line.split_once(&format!("{label}=\""))?.1.split_once('"')?.0.to_owned());
    lines.filter_map(value).collect()
}

async fn forwarded(app: &TestApp, header: &str) -> Answer {
    let request = app.http.get(format!("{}/metrics", app.origin)).header(header, "192.0.2.1");
    Answer::of(request.send().await.unwrap()).await
}

fn server_that_is_away() -> TestDatabase {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    TestDatabase::on_server(&format!("postgres://usersync@127.0.0.1:{port}/usersync"))
}

async fn assert_not_ready(app: &TestApp) {
    assert_eq!(app.get("/healthz").await.status, 200);
    app.get("/readyz").await.assert_unavailable("not_running");
    app.send(&user(&user_id(1), 1_000)).await.assert_unavailable("not_running");
}

both_engines! {
    async fn a_running_service_is_alive_and_ready(app = TestApp::start) {
        let (alive, ready) = (app.get("/healthz").await, app.get("/readyz").await);
        assert_eq!((alive.status.as_u16(), ready.status.as_u16()), (200, 200));
        insta::allow_duplicates!(insta::assert_compact_json_snapshot!(alive.body, @r#"{"status": "alive"}"#));
        insta::allow_duplicates!(insta::assert_compact_json_snapshot!(ready.body, @r#"{"status": "ready"}"#));
    }

    async fn a_service_that_may_not_migrate_ends_and_says_what_to_do(engine) {
        let database = TestDatabase::new(engine);
        let app = TestApp::builder(database).variables(&[("USERSYNC_MIGRATE", "check")]).launch();
        let failure = app.ended().await.unwrap_err().to_string();
        assert!(failure.contains("usersync migrate"), "{failure}");
    }

    async fn metrics_have_a_listener_of_their_own_where_one_is_configured(engine) {
        let app = TestApp::builder(engine).variables(&[("USERSYNC_METRICS_BIND", "127.0.0.1:0")]).start().await;
        assert_eq!(app.get("/metrics").await.status, 404);
        assert!(app.metrics().await.contains("usersync_deliveries_total"));
        let there = app.metrics_origin.clone().unwrap();
        let signed = Delivery::event(&user(&user_id(1), 1_000));
        let answer = signed.post_to(&app, &format!("{there}/webhooks/clerk")).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        for path in ["/v1/users", "/healthz"] {
            let answer = app.http.get(format!("{there}{path}")).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{path}");
        }
        assert_eq!(app.database.count("webhook_events"), 0);
    }

    async fn metrics_are_not_shown_to_whom_a_proxy_forwards(app = TestApp::start) {
        for header in ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "Via", "X-Real-IP"] {
            let answer = forwarded(&app, header).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{header}");
        }
        assert_eq!(app.get("/metrics").await.status, 200);
    }

    async fn metrics_are_not_shown_on_a_public_address(engine) {
        let app = TestApp::builder(engine).variables(&[("USERSYNC_BIND", "0.0.0.0:0")]).start().await;
        assert_eq!(app.get("/metrics").await.status, 404);
    }

    async fn deliveries_are_counted_by_type_and_outcome(app = TestApp::start) {
        app.send(&user(&user_id(1), 2_000)).await;
        app.send(&user(&user_id(1), 1_000)).await;
        app.send(&user(&user_id(1), 1_000)).await;
        app.send(&json!({"type": "zebra.crossed\"} 1"})).await;
        app.send(&json!({"type": 7})).await;
        let expected = [
            ("user.updated", "applied", 1),
            ("user.updated", "stale", 2),
            ("other", "ignored", 1),
            ("other", "quarantined", 1),
        ];
        for (kind, outcome, count) in expected {
            let sample = format!("usersync_deliveries_total{{type=\"{kind}\",outcome=\"{outcome}\"}}");
            assert_eq!(app.metric(&sample).await, count, "{sample}");
        }
    }

    async fn label_sets_are_closed_and_complete_from_the_start(app = TestApp::start) {
        let before = app.metrics().await;
        for kind in ["zebra.crossed", "user.frobnicated", &"x".repeat(200)] {
            app.send(&json!({"type": kind})).await;
        }
        for text in [before, app.metrics().await] {
            assert_eq!(labels(&text, "usersync_deliveries_total", "type"), TYPES.map(str::to_owned).into());
            assert_eq!(labels(&text, "usersync_deliveries_total", "outcome"), OUTCOMES.map(str::to_owned).into());
            assert_eq!(labels(&text, "usersync_rejects_total", "reason").len(), 12);
            assert!(!text.contains("zebra") && !text.contains("frobnicated"));
        }
    }

    async fn rejects_are_counted_by_reason(app = TestApp::start) {
        let signed = Delivery::event(&user(&user_id(1), 1_000));
        signed.clone().without("svix-id").post(&app).await;
        signed.with("svix-signature", "v1,").post(&app).await;
        for reason in ["missing_header", "bad_signature"] {
            let sample = format!("usersync_rejects_total{{reason=\"{reason}\"}}");
            assert_eq!(app.metric(&sample).await, 1, "{reason}");
        }
        assert_eq!(app.metric("usersync_rejects_total{reason=\"body_too_large\"}").await, 0);
    }

    async fn latency_batch_size_and_lag_are_histograms(app = TestApp::start) {
        app.send(&user(&user_id(1), 1_700_000_000_000)).await;
        app.send(&user(&user_id(1), 1_600_000_000_000)).await;
        assert_eq!(app.metric("usersync_delivery_seconds_count").await, 2);
        assert_eq!(app.metric("usersync_batch_size_sum").await, 2);
        assert_eq!(app.metric("usersync_event_lag_seconds_count").await, 1);
        let years_ago = app.metric("usersync_event_lag_seconds_sum").await;
        assert!(years_ago > 30_000_000, "{years_ago}");
        assert!(app.metrics().await.contains("usersync_delivery_seconds_bucket{le="));
    }

    async fn the_queue_is_shown_empty_again_once_it_is(app = TestApp::start) {
        app.send(&user(&user_id(1), 1_000)).await;
        for sample in ["usersync_queue_depth", "usersync_queue_bytes"] {
            assert_eq!(app.metric(sample).await, 0, "{sample}");
        }
    }

    async fn metrics_hold_no_personal_data(app = TestApp::start) {
        app.send(&user(&user_id(1), 1_000)).await;
        let text = app.metrics().await;
        for word in ["Ada", "example.org", "user_0", "msg_", "whsec_"] {
            assert!(!text.contains(word), "{word}");
        }
    }
}

#[tokio::test]
async fn a_service_whose_server_is_away_lives_and_asks_to_come_again() {
    crate::support::run(async {
        let app = TestApp::builder(server_that_is_away()).launch();
        assert_not_ready(&app).await;
    })
    .await;
}

#[tokio::test]
async fn a_service_whose_file_is_locked_becomes_ready_once_it_is_not() {
    crate::support::run(async {
        let database = TestDatabase::new(Engine::Sqlite);
        let mut lock = database.connect_sqlite();
        lock.batch_execute("BEGIN EXCLUSIVE").unwrap();
        let app = TestApp::builder(database).launch();
        assert_not_ready(&app).await;
        lock.batch_execute("COMMIT").unwrap();
        until_true("the service is ready", async || app.get("/readyz").await.status == 200).await;
        assert_eq!(app.send(&user(&user_id(1), 1_000)).await.outcome(), "applied");
    })
    .await;
}
