//! Middleware around every route: counts each request and decides which of them reach the route.
//!
//! An outage is answered before the key is checked, the key before the version, rate limits before
//! faults. Faults and the limit of one user concern requests about users only.

use crate::error::ApiError;
use crate::faults::{RequestFault, ServerFault, request_fault};
use crate::instance::{Instance, State};
use crate::now;
use crate::routes::json_body;
use crate::settings::Outage;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse, ResponseError as _};

/// The API versions that exist.
const VERSIONS: [&str; 5] = ["2021-02-05", "2024-10-01", "2025-04-10", "2025-11-10", "2026-05-12"];

struct RequestInfo {
    kind: &'static str,
    user: Option<String>,
    about_users: bool,
    writes: bool,
}

pub(crate) async fn intercept<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(instance) = request.app_data::<Data<Instance>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    // A sleep of nothing would still wait for the timer's next millisecond.
    if !instance.latency.is_zero() {
        tokio::time::sleep(instance.latency).await;
    }
    match check(&instance, &request)? {
        Some(RequestFault::Slow(delay)) => tokio::time::sleep(delay).await,
        Some(RequestFault::AnswerLost(fault)) => {
            let done = next.call(request).await?;
            return Ok(done.into_response(server_error(fault)).map_into_right_body());
        }
        _ => {}
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// The response instead of the route's as an error, or the fault that the route's response meets.
fn check(instance: &Instance, request: &ServiceRequest) -> Result<Option<RequestFault>, Error> {
    let info = RequestInfo::read(request.method(), request.path());
    let mut state = instance.lock();
    state.counts.request(info.kind);
    check_outage(state.outage, &info)?;
    // Compared before percent-decoding, so that no spelling of another path gets past the key.
    if request.path() != "/.well-known/jwks.json" {
        check_key(request.headers(), &instance.credentials.secret_key)?;
        check_version(request)?;
    }
    check_rate_limits(&mut state, &info)?;
    if info.about_users { inject_fault(&mut state, instance, &info) } else { Ok(None) }
}

fn check_outage(outage: Outage, info: &RequestInfo) -> Result<(), Error> {
    match (outage, info.kind, &info.user) {
        (Outage::Unavailable, ..) => Err(ApiError::unavailable().into()),
        (Outage::Unauthorized, ..) => Err(ApiError::wrong_key().into()),
        (Outage::NotFound | Outage::NoUsers, _, Some(id)) => Err(ApiError::no_user(id).into()),
        (Outage::EmptyLists | Outage::NoUsers, "list", _) => Err(early(json_body("[]"))),
        (Outage::EmptyLists | Outage::NoUsers, "count", _) => {
            Err(early(json_body(r#"{"object":"total_count","total_count":0}"#)))
        }
        _ => Ok(()),
    }
}

fn check_rate_limits(state: &mut State, info: &RequestInfo) -> Result<(), ApiError> {
    let Some(rate_limits) = state.rate_limits.as_mut().filter(|_| info.kind != "jwks") else {
        return Ok(());
    };
    let limited = ["update", "metadata_patch", "metadata_put"].contains(&info.kind);
    let changed = info.user.as_deref().filter(|_| limited);
    let passed = rate_limits.pass(changed, now());
    passed.map_err(|seconds| ApiError::too_many(Some(seconds)))
}

fn inject_fault(
    state: &mut State,
    instance: &Instance,
    info: &RequestInfo,
) -> Result<Option<RequestFault>, Error> {
    state.requests += 1;
    let fault = request_fault(state.faults, &instance.rng, state.requests, info.writes);
    if let Some(fault) = fault {
        state.counts.fault(fault.into());
    }
    match fault {
        Some(RequestFault::Limited { retry_after }) => {
            Err(ApiError::too_many(Some(retry_after)).into())
        }
        Some(RequestFault::LimitedSilently) => Err(ApiError::too_many(None).into()),
        Some(RequestFault::Failed(fault)) => Err(early(server_error(fault))),
        fault => Ok(fault),
    }
}

fn check_key(headers: &HeaderMap, secret_key: &str) -> Result<(), ApiError> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match header.and_then(|value| value.strip_prefix("Bearer ")) {
        None => Err(ApiError::no_key()),
        Some(key) if key == secret_key => Ok(()),
        Some(_) => Err(ApiError::wrong_key()),
    }
}

/// The version stands in a header or in the query, not in both, and must exist.
fn check_version(request: &ServiceRequest) -> Result<(), ApiError> {
    let header = request.headers().get("clerk-api-version").map(|value| value.to_str());
    let header = header.map(|value| value.unwrap_or_default().to_owned());
    let query = url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(key, _)| key == "__clerk_api_version")
        .map(|(_, value)| value.into_owned());
    let version = match (header, query) {
        (Some(_), Some(_)) => String::new(),
        (Some(version), None) | (None, Some(version)) => version,
        (None, None) => return Ok(()),
    };
    if VERSIONS.contains(&version.as_str()) {
        return Ok(());
    }
    let message = "The API version is invalid";
    Err(ApiError::new(StatusCode::BAD_REQUEST, "api_version_invalid", message, message))
}

fn early(response: HttpResponse) -> Error {
    InternalError::from_response("answered before the route", response).into()
}

fn server_error(fault: ServerFault) -> HttpResponse {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if fault.page {
        let page = "<html><head><title>Bad gateway</title></head><body>Bad gateway</body></html>";
        return HttpResponse::build(status).content_type("text/html").body(page);
    }
    let long = "There was an internal error on our servers.";
    ApiError::new(status, "internal_clerk_error", "Oops, an unexpected error occurred", long)
        .error_response()
}

impl RequestInfo {
    fn read(method: &Method, path: &str) -> Self {
        let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let user = match path.as_slice() {
            ["v1", "users", "count"] => None,
            ["v1", "users", id, ..] => Some((*id).to_owned()),
            _ => None,
        };
        Self {
            kind: kind(method, &path),
            user,
            about_users: matches!(path.as_slice(), ["v1", "users", ..]),
            writes: *method != Method::GET,
        }
    }
}

fn kind(method: &Method, path: &[&str]) -> &'static str {
    match (method.as_str(), path) {
        ("GET", ["v1", "users"]) => "list",
        ("POST", ["v1", "users"]) => "create",
        ("GET", ["v1", "users", "count"]) => "count",
        ("GET", ["v1", "users", _]) => "get",
        ("PATCH", ["v1", "users", _]) => "update",
        ("DELETE", ["v1", "users", _]) => "delete",
        ("PATCH", ["v1", "users", _, "metadata"]) => "metadata_patch",
        ("PUT", ["v1", "users", _, "metadata"]) => "metadata_put",
        ("POST", ["v1", "users", _, "ban" | "unban" | "lock" | "unlock"]) => "status",
        ("GET", ["v1", "jwks"] | [".well-known", "jwks.json"]) => "jwks",
        ("POST", ["v1", "sessions", _, "tokens", ..]) => "token",
        (_, ["v1", "sessions", ..]) => "session",
        _ => "other",
    }
}
