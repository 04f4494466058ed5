//! The gate of the Backend API: counts every request, and decides which of them go through.
//!
//! Middleware around every route. An outage goes before the key, the key before the version,
//! the limits before the faults; and only requests about users meet faults.

use super::clock;
use super::errors::Refusal;
use super::faults::{self, Failure, Mishap};
use super::settings::Outage;
use super::world::{State, World};
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
struct Asking {
    kind: &'static str,
    user: Option<String>,
    /// Whether it is about users: what faults and limits are for.
    about_users: bool,
    writes: bool,
}

/// Why a request does not go through.
enum Stop {
    Refused(Refusal),
    Failed(Failure),
    /// An untruth, told as an outage wants it.
    Told(&'static str),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Lets a request through, or answers it.
pub(super) async fn gate<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(world) = request.app_data::<Data<World>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    match admit(&world, &request) {
        Err(stop) => return Ok(request.into_response(stop.answer()).map_into_right_body()),
        Ok(Some(Mishap::Slow(delay))) => tokio::time::sleep(delay).await,
        Ok(Some(Mishap::AnswerLost(failure))) => {
            let done = next.call(request).await?;
            let lost = Stop::Failed(failure).answer();
            return Ok(done.into_response(lost).map_into_right_body());
        }
        Ok(_) => {}
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// Decides about a request: what ends it, or what else happens to it.
fn admit(world: &World, request: &ServiceRequest) -> Result<Option<Mishap>, Stop> {
    let asking = Asking::read(request.method(), request.path());
    let mut state = world.lock();
    state.counts.request(asking.kind);
    during(state.outage, &asking)?;
    // Everything but this one address: what a path comes to once it is decoded is the router's.
    if request.path() != "/.well-known/jwks.json" {
        check_key(request.headers(), &world.credentials().secret_key)?;
        check_version(request)?;
    }
    limit(&mut state, &asking)?;
    if asking.about_users { meet_fault(&mut state, world, &asking) } else { Ok(None) }
}

/// What an outage answers to a request.
fn during(outage: Outage, asking: &Asking) -> Result<(), Stop> {
    match (outage, asking.kind, &asking.user) {
        (Outage::Unavailable, ..) => Err(Refusal::unavailable().into()),
        (Outage::Unauthorized, ..) => Err(Refusal::wrong_key().into()),
        (Outage::NotFound | Outage::Nobody, _, Some(id)) => Err(Refusal::no_user(id).into()),
        (Outage::EmptyLists | Outage::Nobody, "list", _) => Err(Stop::Told("[]")),
        (Outage::EmptyLists | Outage::Nobody, "count", _) => {
            Err(Stop::Told(r#"{"object":"total_count","total_count":0}"#))
        }
        _ => Ok(()),
    }
}

fn limit(state: &mut State, asking: &Asking) -> Result<(), Refusal> {
    let Some(rates) = state.rates.as_mut().filter(|_| asking.kind != "jwks") else {
        return Ok(());
    };
    let limited = ["update", "metadata_patch", "metadata_put"].contains(&asking.kind);
    let changed = asking.user.as_deref().filter(|_| limited);
    let passed = rates.pass(changed, clock::now());
    passed.map_err(|seconds| Refusal::too_many(Some(seconds)))
}

fn meet_fault(state: &mut State, world: &World, asking: &Asking) -> Result<Option<Mishap>, Stop> {
    state.requests += 1;
    let mishap = faults::mishap(state.faults, world.chance(), state.requests, asking.writes);
    if let Some(mishap) = mishap {
        state.counts.fault(mishap.kind());
    }
    match mishap {
        Some(Mishap::Limited { retry_after }) => Err(Refusal::too_many(Some(retry_after)).into()),
        Some(Mishap::LimitedSilently) => Err(Refusal::too_many(None).into()),
        Some(Mishap::Failed(failure)) => Err(Stop::Failed(failure)),
        mishap => Ok(mishap),
    }
}

fn check_key(headers: &HeaderMap, secret_key: &str) -> Result<(), Refusal> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match header.and_then(|value| value.strip_prefix("Bearer ")) {
        None => Err(Refusal::no_key()),
        Some(key) if key == secret_key => Ok(()),
        Some(_) => Err(Refusal::wrong_key()),
    }
}

/// A version may be named in a header or in the query, not in both, and has to be one.
fn check_version(request: &ServiceRequest) -> Result<(), Refusal> {
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
    Err(Refusal::new(StatusCode::BAD_REQUEST, "api_version_invalid", message, message))
}

impl Stop {
    fn answer(&self) -> HttpResponse {
        match self {
            Self::Refused(refusal) => refusal.error_response(),
            Self::Failed(failure) => failed(*failure),
            Self::Told(body) => {
                HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(*body)
            }
        }
    }
}

/// A 5xx: the provider's own, or a page of something in front of it.
fn failed(failure: Failure) -> HttpResponse {
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if failure.page {
        let page = "<html><head><title>Bad gateway</title></head><body>Bad gateway</body></html>";
        return HttpResponse::build(status).content_type("text/html").body(page);
    }
    let long = "There was an internal error on our servers.";
    Refusal::new(status, "internal_clerk_error", "Oops, an unexpected error occurred", long)
        .error_response()
}

impl Asking {
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
        ("POST", ["v1", "users", _, "ban" | "unban" | "lock" | "unlock"]) => "standing",
        ("GET", ["v1", "jwks"] | [".well-known", "jwks.json"]) => "jwks",
        ("POST", ["v1", "sessions", _, "tokens", ..]) => "token",
        (_, ["v1", "sessions", ..]) => "session",
        _ => "other",
    }
}
