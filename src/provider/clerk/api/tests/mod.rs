//! Tests of the API client against an HTTP stub: retries, limits, errors, and what is sent.

mod client;
mod paging;

use super::limits::{BLOCKING_PARSE_BYTES, Limits, OTHER_BYTES, USER_BYTES};
use super::{ClerkApi, InvalidApi};
use crate::domain::{Backoff, MetadataPatch};
use crate::provider::Priority::{Background, Interactive};
use crate::provider::clerk::tests::stub::{Answer, Stub, answer};
use crate::provider::{ApiError, Directory as _, ListQuery, Priority};
use client::{Client, CountingBudget, client, client_with, clock, limits, settings};
use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

const USER: &str = r#"{"id":"user_1","public_metadata":{"role":"admin"},"updated_at":7}"#;

fn error(status: u16, code: &str) -> Answer {
    let body = format!(r#"{{"errors":[{{"message":"m","long_message":"l","code":"{code}"}}]}}"#);
    answer(status, &body)
}

fn admin() -> MetadataPatch {
    MetadataPatch { role: Some("admin".into()), ..MetadataPatch::default() }
}

fn is_unavailable<T>(result: &Result<T, ApiError>, done: bool) -> bool {
    matches!(result, Err(ApiError::Unavailable { outcome_unknown, .. }) if *outcome_unknown == done)
}

fn stub_and_client(script: impl IntoIterator<Item = Answer>) -> (Stub, Client) {
    let stub = Stub::new(script);
    let client = client(&stub.url);
    (stub, client)
}

/// The error of reading a user, and how often the request was sent.
async fn read(answer: Answer, priority: Priority) -> (ApiError, usize) {
    let (stub, client) = stub_and_client([answer]);
    let error = client.api.user("user_1", priority).await.unwrap_err();
    (error, stub.count())
}

pub(super) fn is_protocol<T>(result: &Result<T, ApiError>) -> bool {
    matches!(result, Err(ApiError::Protocol(_)))
}

#[tokio::test]
async fn a_request_names_the_version_the_key_and_us() {
    let stub = Stub::new([answer(200, USER)]);
    let client = client(&format!("{}/prefix", stub.url));
    let user = client.api.user("user_1", Interactive).await.unwrap();
    assert_eq!(user.version.updated_at_ms, 7);
    assert!(user.fetched_at.is_some_and(|at| at.as_millis() == user.version.seen_at_ms));
    let seen = stub.requests().remove(0);
    assert_eq!(seen.line, "GET /prefix/v1/users/user_1");
    assert_eq!(seen.header("clerk-api-version"), Some("2026-05-12"));
    assert_eq!(seen.header("authorization"), Some("Bearer sk_test_secret"));
    let agent = format!("usersync/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(seen.header("user-agent"), Some(agent.as_str()));
}

#[tokio::test]
async fn the_key_goes_to_no_target_of_a_redirect() {
    let target = Stub::new([answer(200, USER)]);
    let location = format!("{}/v1/users/user_1", target.url);
    for status in [301, 302, 307, 308] {
        let redirect = answer(status, "").with("location", location.as_str());
        assert!(matches!(read(redirect, Background).await, (ApiError::Protocol(_), 1)));
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn a_key_that_would_travel_in_the_clear_is_refused() {
    let new = |settings| {
        let (budget, metrics) = (Arc::new(CountingBudget::default()), Arc::default());
        ClerkApi::new(settings, budget, metrics, clock()).err()
    };
    for url in [
        "http://api.clerk.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "https://user@api.clerk.com",
        "https://api.clerk.com/?x=1",
    ] {
        assert!(matches!(new(settings(url)), Some(InvalidApi::Address)), "{url}");
    }
    for url in
        ["https://api.clerk.com", "http://127.0.0.1:1", "http://[::1]:1/p", "http://localhost"]
    {
        assert!(new(settings(url)).is_none(), "{url}");
    }
    let mut broken = settings("https://api.clerk.com");
    broken.secret_key = "sk_live_broken\n".to_owned().into();
    assert!(matches!(new(broken), Some(InvalidApi::Key(_))));
    assert!(!format!("{:?}", settings("https://api.clerk.com")).contains("sk_test_secret"));
}

#[tokio::test]
async fn a_refused_key_is_an_error_and_not_tried_again() {
    for status in [401, 403] {
        let refused = read(error(status, "clerk_key_invalid"), Background).await;
        assert_eq!(refused, (ApiError::Unauthorized(status), 1));
    }
}

#[tokio::test]
async fn a_404_of_another_server_is_no_absence() {
    let (_, client) =
        stub_and_client([error(404, "resource_not_found"), answer(404, "404 page not found")]);
    assert_eq!(client.api.user("user_1", Interactive).await, Err(ApiError::NotFound));
    assert!(is_protocol(&client.api.user("user_1", Interactive).await));
    assert!(is_protocol(&client.api.fill("user_1", &admin(), Interactive).await));
}

#[tokio::test]
async fn an_answer_about_another_user_is_not_taken() {
    let (_, client) = stub_and_client([answer(200, USER)]);
    assert!(is_protocol(&client.api.user("user_2", Interactive).await));
    assert!(is_protocol(&client.api.fill("user_2", &admin(), Interactive).await));
}

#[tokio::test]
async fn trap_28_absent_values_are_not_mentioned_and_null_is_never_sent() {
    let (stub, client) = stub_and_client([answer(200, USER)]);
    client.api.fill("user_1", &admin(), Background).await.unwrap();
    let seen = stub.requests().remove(0);
    assert_eq!(seen.line, "PATCH /v1/users/user_1/metadata");
    assert_eq!(seen.body, r#"{"public_metadata":{"role":"admin"}}"#);
    assert_eq!(seen.header("content-type"), Some("application/json"));
    client.api.fill("user_1", &MetadataPatch::default(), Background).await.unwrap();
    assert_eq!(stub.requests()[1].line, "GET /v1/users/user_1");
}

#[tokio::test]
async fn what_may_have_been_written_is_not_written_again() {
    let (stub, client) = stub_and_client([error(500, "internal_clerk_error")]);
    assert!(is_unavailable(&client.api.fill("user_1", &admin(), Background).await, true));
    assert_eq!(stub.count(), 1);

    let limits = Limits { call: Duration::from_millis(50), ..limits() };
    let slow = Stub::new([answer(200, USER).after(Duration::from_millis(150))]);
    let client = client_with(&slow.url, limits);
    assert!(is_unavailable(&client.api.fill("user_1", &admin(), Background).await, true));
    assert_eq!(slow.count(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_may_have_done_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut begin = [0; 16];
        connection.read_exact(&mut begin).unwrap();
    });
    let client = client(&url);
    assert!(is_unavailable(&client.api.fill("user_1", &admin(), Background).await, true));
    thread.join().unwrap();
    // The port is closed now: nothing is sent, so that all attempts are made.
    assert!(is_unavailable(&client.api.fill("user_2", &admin(), Interactive).await, false));
    assert_eq!(client.budget.count(), 1 + 3);
}

#[tokio::test]
async fn what_was_not_done_is_written_again() {
    let locked = error(409, "resource_locked");
    let (stub, client) =
        stub_and_client([error(429, "too_many_requests"), locked, answer(200, USER)]);
    client.api.fill("user_1", &admin(), Interactive).await.unwrap();
    assert_eq!((stub.count(), client.budget.count()), (3, 3));
}

#[tokio::test]
async fn the_eleventh_call_about_a_user_in_ten_seconds_is_not_sent() {
    let (stub, client) = stub_and_client([answer(200, USER)]);
    for _ in 0..5 {
        client.api.fill("user_1", &admin(), Background).await.unwrap();
        client.api.user("user_1", Background).await.unwrap();
    }
    let refused = client.api.fill("user_1", &admin(), Background).await;
    assert!(matches!(refused, Err(ApiError::RateLimited { .. })));
    assert_eq!((stub.count(), client.budget.count()), (10, 10));
}

#[tokio::test]
async fn a_user_whose_calls_other_replicas_made_is_refused_at_once_and_no_other_is() {
    let (stub, client) = stub_and_client([answer(200, USER)]);
    *client.budget.refused_user.lock().unwrap() = Some("user_2");
    let refused = Err(ApiError::RateLimited { retry_after: Duration::from_secs(7) });
    assert_eq!(client.api.user("user_2", Background).await, refused);
    assert_eq!(stub.count(), 0);
    assert!(client.api.user("user_1", Background).await.is_ok());
    let taken = client.budget.count();
    let again = client.api.user("user_2", Interactive).await;
    assert!(matches!(again, Err(ApiError::RateLimited { .. })));
    assert_eq!(client.budget.count(), taken, "nothing is taken for who is known to be refused");
}

#[tokio::test]
async fn trap_37_repeats_take_from_the_budget_too() {
    let (stub, client) = stub_and_client([error(500, "x"), error(503, "x"), answer(200, USER)]);
    client.api.user("user_1", Interactive).await.unwrap();
    assert_eq!((stub.count(), client.budget.count()), (3, 3));
}

#[tokio::test]
async fn trap_37_every_call_waits_for_the_end_of_retry_after() {
    let (stub, client) = stub_and_client([
        error(429, "too_many_requests").with("retry-after", "1"),
        answer(200, r#"{"total_count":1}"#),
    ]);
    let other = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.api.count(Background).await
    };
    let (first, second) = tokio::join!(client.api.count(Interactive), other);
    assert_eq!((first, second), (Ok(1), Ok(1)));
    let seen = stub.requests();
    assert_eq!((seen.len(), client.budget.count()), (3, 3));
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(950));
}

#[tokio::test]
async fn trap_37_an_interactive_call_fails_during_a_long_pause_and_is_not_sent() {
    let (stub, client) =
        stub_and_client([error(429, "too_many_requests").with("retry-after", "7")]);
    for _ in 0..2 {
        let Err(ApiError::RateLimited { retry_after }) =
            client.api.user("user_1", Interactive).await
        else {
            panic!("not rate limited")
        };
        assert!((6..=7).contains(&retry_after.as_secs()));
    }
    assert_eq!((stub.count(), client.budget.count()), (1, 1));
}

#[tokio::test]
async fn trap_37_a_call_waits_for_the_budget_or_fails() {
    let (stub, client) = stub_and_client([answer(200, USER)]);
    let millis = Duration::from_millis;
    client.budget.refusals.lock().unwrap().extend([millis(20), millis(20)]);
    client.api.user("user_1", Interactive).await.unwrap();
    client.budget.refusals.lock().unwrap().push_back(millis(2100));
    let refused = client.api.user("user_1", Interactive).await;
    assert_eq!(refused, Err(ApiError::RateLimited { retry_after: millis(2100) }));
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn the_attempts_depend_on_the_priority() {
    for (priority, attempts) in [(Interactive, 3), (Background, 6)] {
        let (error, sent) = read(answer(502, "<html>Bad gateway</html>"), priority).await;
        assert!(matches!(error, ApiError::Unavailable { outcome_unknown: false, .. }));
        assert_eq!(sent, attempts);
    }
}

#[tokio::test]
async fn while_the_breaker_is_open_an_interactive_call_fails_at_once() {
    let stub = Stub::new([error(500, "x")]);
    let breaker = Backoff { first: Duration::from_secs(20), longest: Duration::from_secs(20) };
    let client = client_with(&stub.url, Limits { breaker, ..limits() });
    for user in ["user_1", "user_2"] {
        assert!(is_unavailable(&client.api.user(user, Interactive).await, false));
    }
    assert_eq!(stub.count(), 5);
    let began = Instant::now();
    let Err(ApiError::Unavailable { retry_after, outcome_unknown: false, .. }) =
        client.api.fill("user_3", &admin(), Interactive).await
    else {
        panic!("not unavailable")
    };
    assert!(retry_after > Duration::from_secs(15) && began.elapsed() < Duration::from_millis(200));
    assert_eq!((stub.count(), client.budget.count()), (5, 5));
}

#[tokio::test]
async fn a_background_call_waits_for_the_breaker_and_one_trial_closes_it() {
    let mut script = vec![error(500, "x"); 5];
    script.push(answer(200, USER));
    let (stub, client) = stub_and_client(script);
    client.api.user("user_1", Background).await.unwrap();
    let seen = stub.requests();
    assert!(seen[5].at - seen[4].at >= Duration::from_millis(45));
    client.api.user("user_1", Interactive).await.unwrap();
}

#[tokio::test]
async fn a_trial_whose_caller_disconnects_lets_the_next_call_try() {
    let mut script = vec![error(500, "x"); 5];
    script.push(answer(200, USER).after(Duration::from_secs(5)));
    script.push(answer(200, USER));
    let (stub, client) = stub_and_client(script);
    let given_up = client.api.user("user_1", Background);
    assert!(tokio::time::timeout(Duration::from_millis(300), given_up).await.is_err());
    assert_eq!(stub.count(), 6);
    client.api.user("user_1", Interactive).await.unwrap();
}

#[tokio::test]
async fn an_html_page_is_an_error_that_does_not_quote_it() {
    let page = "<!doctype html><p>Ada</p>";
    for (status, repeated) in [(200, 1), (400, 1), (404, 1), (413, 1), (422, 1), (503, 3)] {
        let html = answer(status, page).with("content-type", "text/html");
        let (error, sent) = read(html, Interactive).await;
        assert!(!error.to_string().contains("Ada"), "{error}");
        assert_eq!(sent, repeated, "{status}");
    }
}

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_it_may_have() {
    let large = format!(r#"{{"id":"user_1","x":"{}"}}"#, "x".repeat(USER_BYTES));
    let stub = Stub::new([answer(200, &large), answer(200, &large).in_chunks()]);
    let user = client(&stub.url);
    assert!(is_protocol(&user.api.user("user_1", Background).await));
    assert!(is_protocol(&user.api.user("user_1", Background).await));
    assert_eq!(stub.count(), 2);

    let page = " ".repeat(OTHER_BYTES + 1);
    let (_, client) = stub_and_client([answer(422, &page), answer(422, &page).in_chunks()]);
    for _ in 0..2 {
        let error = client.api.user("user_1", Background).await.unwrap_err();
        assert_eq!(error, ApiError::Rejected { status: 422, code: "no code".into() });
    }
}

#[tokio::test]
async fn a_large_page_is_read_whole_and_one_broken_user_is_counted() {
    let filling = "x".repeat(BLOCKING_PARSE_BYTES / 400);
    let users: Vec<String> =
        (0..499).map(|user| format!(r#"{{"id":"user_{user}","x":"{filling}"}}"#)).collect();
    let body = format!(r#"[{},{{"id":null}}]"#, users.join(","));
    let stub = Stub::new([answer(200, &body)]);
    let query = ListQuery { limit: 500, ..ListQuery::default() };
    let page = client(&stub.url).api.users(&query, Background).await.unwrap();
    assert_eq!((page.users.len(), page.unreadable), (499, 1));
    assert_eq!(stub.requests()[0].line, "GET /v1/users?limit=500&order_by=created_at");
}

#[tokio::test]
async fn the_key_set_takes_no_budget() {
    let (stub, client) = stub_and_client([answer(200, r#"{"keys":[{"kid":"ins_1"}]}"#)]);
    assert_eq!(client.api.instances(Interactive).await.unwrap(), ["ins_1"]);
    assert_eq!(stub.requests()[0].line, "GET /v1/jwks");
    assert_eq!(stub.requests()[0].header("authorization"), Some("Bearer sk_test_secret"));
    assert_eq!(client.budget.count(), 0);
}

#[tokio::test]
async fn calls_are_counted_by_outcome() {
    let (_, client) = stub_and_client([error(404, "resource_not_found")]);
    client.api.user("user_1", Interactive).await.unwrap_err();
    let text = client.metrics.render();
    for line in [
        r#"usersync_api_calls_total{call="user",outcome="not_found"} 1"#,
        r#"usersync_api_calls_total{call="instances",outcome="ok"} 0"#,
        "usersync_api_seconds_count 1",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}
