//! Answers requests that match no route: 404 and 405.
//!
//! Called by the route table.

use super::authorization::require;
use super::{Answer, AppState, Problem};
use crate::access::Access;
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;

pub(super) async fn route_not_found(request: HttpRequest) -> Answer {
    // A router in front that keeps its prefix.
    let detail = if request.path().trim_end_matches('/').ends_with("/webhooks/clerk") {
        "no such address; deliveries go to POST /webhooks/clerk: let the router in front strip what stands before it"
    } else {
        "no such address; deliveries go to POST /webhooks/clerk, users are at GET /v1/users, and the signed-in user is at GET /v1/me"
    };
    Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail))
}

pub(super) fn method_not_allowed(methods: &'static str) -> Problem {
    let detail = format!("this address accepts {methods}");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).allowing(methods)
}

/// Below `/v1` only an admin token learns that a path does not exist.
pub(super) async fn not_found_for_admin(state: Data<AppState>, request: HttpRequest) -> Answer {
    require(&state, &request, Access::Administer)?;
    route_not_found(request).await
}
