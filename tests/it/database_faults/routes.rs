//! Every route, and its status under each fault.

use super::FAULTS;
use super::fault::Fault;
use super::rig::Rig;
use crate::support::{ADMIN_TOKEN, Answer};
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The provider gives a delivery 15 s; nobody else should wait longer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(11);

/// Of probes and metrics, which have short limits of their own.
const PROBED_WITHIN: Duration = Duration::from_secs(3);

const COLUMNS: usize = 10;

/// A method, a route, and its status under each fault in the order of [`FAULTS`].
type Row = (&'static str, &'static str, [u16; COLUMNS]);

/// 200, or 503 where requests that wait for the fault hold every connection.
const EITHER: u16 = 0;

#[rustfmt::skip]
const TABLE: [Row; 17] = [
    //                                   locked  hangs read-only schema rights disk | locked gone replaced disk
    ("POST",  "/webhooks/clerk",         [503,    503,  503,     503,   503,    503,   503,   503,  503,    503]),
    ("POST",  "/api/webhooks/clerk",     [503,    503,  503,     503,   503,    503,   503,   503,  503,    503]),
    ("GET",   "/api/clerk/syncUsers",    [503,    503,  200,     503,   503,    200,   200,   503,  503,    200]),
    ("GET",   "/healthz",                [200,    200,  200,     200,   200,    200,   200,   200,  200,    200]),
    ("GET",   "/readyz",                 [503,    503,  503,     503,   503,    503,   503,   503,  503,    503]),
    ("GET",   "/metrics",                [200,    200,  200,     200,   200,    200,   200,   200,  200,    200]),
    ("GET",   "/v1/me",                  [503,    503,  200,     503,   503,    200,   200,   503,  503,    200]),
    ("GET",   "/v1/users",               [503,    503,  200,     503,   503,    200,   200,   503,  503,    200]),
    ("GET",   "/v1/users/{id}",          [503,    503,  200,     503,   503,    200,   200,   503,  503,    200]),
    ("PATCH", "/v1/users/{id}",          [503,    503,  503,     503,   503,    200,   503,   503,  503,    503]),
    ("GET",   "/v1/jobs",                [EITHER, 503,  200,     503,   200,    200,   200,   503,  503,    200]),
    ("POST",  "/v1/jobs",                [EITHER, 503,  503,     503,   202,    202,   503,   503,  503,    503]),
    ("GET",   "/v1/jobs/{id}",           [EITHER, 503,  200,     503,   200,    200,   200,   503,  503,    200]),
    ("POST",  "/v1/jobs/{id}/cancel",    [EITHER, 503,  200,     503,   200,    200,   503,   503,  503,    200]),
    ("GET",   "/v1/drift",               [EITHER, 503,  200,     503,   200,    200,   200,   503,  503,    200]),
    ("POST",  "/v1/reconcile",           [503,    503,  503,     503,   503,    200,   503,   503,  503,    503]),
    ("GET",   "/v1/write-backs",         [EITHER, 503,  200,     503,   200,    200,   200,   503,  503,    200]),
];

impl Rig {
    async fn ask(&self, method: &str, route: &str) -> Answer {
        let service = &self.service;
        let id = if route.contains("/jobs") { &self.old_job } else { &self.known };
        let path = route.replace("{id}", id);
        let body = match (method, route) {
            ("POST", "/webhooks/clerk" | "/api/webhooks/clerk") => {
                return self.deliver_to(&format!("{}{path}", service.origin)).await;
            }
            ("GET", "/healthz" | "/readyz" | "/metrics") => return service.get(&path).await,
            ("GET", "/v1/me" | "/api/clerk/syncUsers") => {
                let request =
                    service.request(Method::GET, &path).header(ACCEPT, "application/json");
                return Answer::of(request.bearer_auth(self.token()).send().await.unwrap()).await;
            }
            ("PATCH", _) => Some(json!({"role": "admin"})),
            ("POST", "/v1/jobs") => Some(json!({"kind": "drift"})),
            ("POST", "/v1/reconcile") => Some(json!({"user_ids": [self.known]})),
            _ => None,
        };
        let body = body.map(|body| body.to_string());
        service.ask_as(Some(ADMIN_TOKEN), method.parse().unwrap(), &path, body).await
    }
}

/// What is wrong with an answer.
fn complaint(answer: &Answer, elapsed: Duration, route: &str, expected: u16) -> Option<String> {
    let is_probe = !route.starts_with("/v1") && !route.ends_with("/clerk");
    let limit =
        if is_probe && route != "/api/clerk/syncUsers" { PROBED_WITHIN } else { ANSWERED_WITHIN };
    let status = answer.status.as_u16();
    let is_expected = match expected {
        // A second job is told of the first.
        202 => [202, 409].contains(&status),
        EITHER => [200, 202, 409, 503].contains(&status),
        _ => status == expected,
    };
    let says_when = status != 503 || answer.headers.contains_key("retry-after");
    (!is_expected || elapsed > limit || !says_when)
        .then(|| format!("{route} is not {expected} after {elapsed:?}: {answer:?}"))
}

/// Asks for all at once, more often than there are connections.
pub(super) async fn assert_answers(rig: &Arc<Rig>, fault: Fault) {
    let column = FAULTS.iter().position(|one| *one == fault).unwrap();
    let mut asking = JoinSet::new();
    for (method, route, expected) in TABLE.iter().chain(&TABLE) {
        let rig = Arc::clone(rig);
        asking.spawn(async move {
            let started = Instant::now();
            let answer = rig.ask(method, route).await;
            let complaint = complaint(&answer, started.elapsed(), route, expected[column]);
            complaint.map(|complaint| format!("{fault:?}: {method} {complaint}"))
        });
    }
    let complaints: Vec<String> = asking.join_all().await.into_iter().flatten().collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

pub(super) async fn assert_all_well(rig: &Rig, fault: Fault) {
    for (method, route, _) in &TABLE {
        let answer = rig.ask(method, route).await;
        let is_well = answer.status.is_success() || answer.status == 409;
        assert!(is_well, "{fault:?}: {method} {route}: {answer:?}");
    }
}

/// Read from the source, so that a new route cannot be forgotten here.
#[test]
fn the_table_has_every_route_of_the_service() {
    assert_eq!(FAULTS.len(), COLUMNS);
    let source = include_str!("../../../src/http/mod.rs");
    let routes = source.split_once("pub fn routes").unwrap().1.split_once("\n}\n").unwrap().0;
    let paths = routes.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/'));
    let found: BTreeSet<&str> = paths.filter(|path| *path != "/v1").collect();
    let known = TABLE.iter().map(|(_, route, _)| route.strip_prefix("/v1").unwrap_or(route));
    // Of these no path stands there.
    let known = known.filter(|route| !route.ends_with("/clerk") && !route.starts_with("/api"));
    assert_eq!(known.collect::<BTreeSet<&str>>(), found);
    // The two paths of deliveries are made by a function of their own.
    assert_eq!(routes.matches(".to(").count() + 2, TABLE.len());
}
