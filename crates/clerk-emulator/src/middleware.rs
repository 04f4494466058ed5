//! The gate of the Backend API: counts every request, and decides which of them go through.
//!
//! Middleware around every route. An outage goes before the key, the key before the version,
//! the limits before the faults; and only requests about users meet faults.

use super::clock;
use super::error::ApiError;
use super::faults::{self, RequestFault, ServerFault};
use super::instance::{Instance, State};
use super::settings::Outage;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse, ResponseError as _};

/// The versions of the API that there are.
const VERSIONS: [&str; 5] = ["2021-02-05", "2024-10-01", "2025-04-10", "2025-11-10", "2026-05-12"];

/// What a request is about.
struct RequestInfo {
    kind: &'static str,
    user: Option<String>,
    /// Whether it is about users: what faults and limits are for.
    about_users: bool,
    writes: bool,
}

/// Why a request does not go through.
enum EarlyResponse {
    Error(ApiError),
    Fault(ServerFault),
    /// An untruth, told as an outage wants it.
    Body(&'static str),
}

impl From<ApiError> for EarlyResponse {
    fn from(refusal: ApiError) -> Self {
        Self::Error(refusal)
    }
}

/// Lets a request through, or answers it.
pub(super) async fn intercept<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(instance) = request.app_data::<Data<Instance>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    match admit(&instance, &request) {
        Err(stop) => return Ok(request.into_response(stop.response()).map_into_right_body()),
        Ok(Some(RequestFault::Slow(delay))) => tokio::time::sleep(delay).await,
        Ok(Some(RequestFault::AnswerLost(fault))) => {
            let done = next.call(request).await?;
            let lost = EarlyResponse::Fault(fault).response();
            return Ok(done.into_response(lost).map_into_right_body());
        }
        Ok(_) => {}
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// Decides about a request: what ends it, or what else happens to it.
fn admit(
    instance: &Instance,
    request: &ServiceRequest,
) -> Result<Option<RequestFault>, EarlyResponse> {
    let info = RequestInfo::read(request.method(), request.path());
    let mut state = instance.lock();
    state.counts.request(info.kind);
    during(state.outage, &info)?;
    // Everything but this one address: what a path comes to once it is decoded is the router's.
    if request.path() != "/.well-known/jwks.json" {
        check_key(request.headers(), &instance.credentials().secret_key)?;
        check_version(request)?;
    }
    limit(&mut state, &info)?;
    if info.about_users { inject_fault(&mut state, instance, &info) } else { Ok(None) }
}

/// What an outage answers to a request.
fn during(outage: Outage, info: &RequestInfo) -> Result<(), EarlyResponse> {
    match (outage, info.kind, &info.user) {
        (Outage::Unavailable, ..) => Err(ApiError::unavailable().into()),
        (Outage::Unauthorized, ..) => Err(ApiError::wrong_key().into()),
        (Outage::NotFound | Outage::NoUsers, _, Some(id)) => Err(ApiError::no_user(id).into()),
        (Outage::EmptyLists | Outage::NoUsers, "list", _) => Err(EarlyResponse::Body("[]")),
        (Outage::EmptyLists | Outage::NoUsers, "count", _) => {
            Err(EarlyResponse::Body(r#"{"object":"total_count","total_count":0}"#))
        }
        _ => Ok(()),
    }
}

fn limit(state: &mut State, info: &RequestInfo) -> Result<(), ApiError> {
    let Some(rate_limits) = state.rate_limits.as_mut().filter(|_| info.kind != "jwks") else {
        return Ok(());
    };
    let limited = ["update", "metadata_patch", "metadata_put"].contains(&info.kind);
    let changed = info.user.as_deref().filter(|_| limited);
    let passed = rate_limits.pass(changed, clock::now());
    passed.map_err(|seconds| ApiError::too_many(Some(seconds)))
}

fn inject_fault(
    state: &mut State,
    instance: &Instance,
    info: &RequestInfo,
) -> Result<Option<RequestFault>, EarlyResponse> {
    state.requests += 1;
    let request_fault =
        faults::request_fault(state.faults, instance.rng(), state.requests, info.writes);
    if let Some(request_fault) = request_fault {
        state.counts.fault(request_fault.kind());
    }
    match request_fault {
        Some(RequestFault::Limited { retry_after }) => {
            Err(ApiError::too_many(Some(retry_after)).into())
        }
        Some(RequestFault::LimitedSilently) => Err(ApiError::too_many(None).into()),
        Some(RequestFault::Fault(failure)) => Err(EarlyResponse::Fault(failure)),
        request_fault => Ok(request_fault),
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

/// A version may be named in a header or in the query, not in both, and has to be one.
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

impl EarlyResponse {
    fn response(&self) -> HttpResponse {
        match self {
            Self::Error(refusal) => refusal.error_response(),
            Self::Fault(failure) => failed(*failure),
            Self::Body(body) => {
                HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(*body)
            }
        }
    }
}

/// A 5xx: the provider's own, or a page of something in front of it.
fn failed(failure: ServerFault) -> HttpResponse {
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if failure.page {
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
        let kind = kind(method, &path);
        let about_users = matches!(path.as_slice(), ["v1", "users", ..]);
        let user = match path.as_slice() {
            ["v1", "users", "count"] => None,
            ["v1", "users", id, ..] => Some((*id).to_owned()),
            _ => None,
        };
        Self { kind, user, about_users, writes: *method != Method::GET }
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
