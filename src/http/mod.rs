//! The route table, and what handlers share: state, `Retry-After`, JSON answers, the clock.
//!
//! Called by `app`. A handler checks the token or session, calls one function of `webhooks`,
//! `store` or `sync`, and turns the result into an answer; it decides nothing about users.
//! Only here an error becomes an HTTP status; [`problem`] renders it.

mod authorization;
mod body;
mod closing;
mod delivery_body;
mod drift;
mod fallback;
mod health;
mod html;
mod jobs;
mod me;
mod metrics;
mod pagination;
pub mod problem;
mod readiness;
mod request_id;
mod resync;
mod session;
mod sign_in_sync;
mod users;
mod webhooks;
mod write_backs;

pub use closing::close_while_stopping;
pub use problem::Problem;
pub use readiness::Readiness;
pub use request_id::tag;
pub use webhooks::WebhookReceiver;

use crate::access::{Redirects, Tokens};
use crate::domain::{Entitlements, Timestamp};
use crate::ingest::Ingest;
use crate::provider::session::Sessions;
use crate::store::Store;
use crate::sync::SyncService;
use crate::telemetry::Metrics;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Path, ServiceConfig};
use actix_web::{HttpResponse, Resource, Route, guard};
use serde::Serialize;
use std::sync::Arc;

/// What a handler returns.
type Answer = Result<HttpResponse, Problem>;

/// `Retry-After` of a 503: the provider's own second attempt comes after five seconds.
pub(super) const RETRY_AFTER_SECONDS: u32 = 5;

pub struct AppState {
    pub webhooks: WebhookReceiver,
    pub ingest: Ingest,
    pub store: Store,
    /// The provider's name, as in the column `source`.
    pub source: &'static str,
    pub tokens: Tokens,
    /// `None`: session tokens cannot be checked.
    pub sessions: Option<Sessions>,
    pub redirects: Redirects,
    pub entitlements: Entitlements,
    /// `None`: there is no key to the provider's API.
    pub sync: Option<Arc<SyncService>>,
    pub metrics: Arc<Metrics>,
    /// The main listener is loopback, and metrics have none of their own.
    pub shows_metrics: bool,
    pub readiness: Readiness,
}

impl AppState {
    /// By this machine's clock, which the provider's times are compared with.
    fn machine_now(&self) -> Timestamp {
        self.store.clock().machine_now()
    }

    /// The sync service, or 503 where there is no key to the provider's API.
    fn sync(&self) -> Result<&Arc<SyncService>, Problem> {
        let detail = "the provider cannot be asked: CLERK_SECRET_KEY is not set";
        self.sync.as_ref().ok_or_else(|| Problem::unavailable("api_not_configured", detail))
    }
}

const WEBHOOK_PATHS: [&str; 2] = ["/webhooks/clerk", "/api/webhooks/clerk"];

/// The same, with the slashes that addresses gain where their parts are joined. They are patterns, which
/// cost each request that comes to them: the last of all.
const SLASHED_WEBHOOK_PATHS: [&str; 2] =
    ["/{_a:/*}webhooks{_b:/+}clerk{_c:/*}", "/{_a:/*}api{_b:/+}webhooks{_c:/+}clerk{_d:/*}"];

pub fn routes(config: &mut ServiceConfig) {
    for path in WEBHOOK_PATHS {
        config.service(delivery_resource(path));
    }
    config
        .service(
            resource(sign_in_sync::PATH, GET_HEAD).route(get_or_head().to(sign_in_sync::sync_user)),
        )
        .service(resource("/healthz", GET_HEAD).route(get_or_head().to(health::alive)))
        .service(resource("/readyz", GET_HEAD).route(get_or_head().to(health::ready)))
        .service(resource("/metrics", GET_HEAD).route(get_or_head().to(metrics::public)))
        .service(
            web::scope("/v1")
                .service(resource("/me", GET_HEAD).route(get_or_head().to(me::show)))
                .service(resource("/users", GET_HEAD).route(get_or_head().to(users::list)))
                .service(
                    resource("/users/{id}", "GET, HEAD, PATCH")
                        .route(get_or_head().to(users::get))
                        .route(web::patch().to(users::set_override)),
                )
                .service(
                    resource("/jobs", "GET, HEAD, POST")
                        .route(get_or_head().to(jobs::list))
                        .route(web::post().to(jobs::start)),
                )
                .service(resource("/jobs/{id}", GET_HEAD).route(get_or_head().to(jobs::show)))
                .service(resource("/jobs/{id}/cancel", "POST").route(web::post().to(jobs::cancel)))
                .service(resource("/drift", GET_HEAD).route(get_or_head().to(drift::show)))
                .service(resource("/reconcile", "POST").route(web::post().to(resync::resync)))
                .service(
                    resource("/write-backs", GET_HEAD).route(get_or_head().to(write_backs::list)),
                )
                .default_service(web::to(fallback::not_found_for_admin)),
        );
    for path in SLASHED_WEBHOOK_PATHS {
        config.service(delivery_resource(path));
    }
    config.default_service(web::to(fallback::route_not_found));
}

fn delivery_resource(path: &str) -> Resource {
    resource(path, "POST").route(web::post().to(webhooks::receive))
}

/// A resource that answers 405 with `Allow` to all but these methods.
fn resource(path: &str, methods: &'static str) -> Resource {
    let refuse =
        move || async move { Err::<HttpResponse, Problem>(fallback::method_not_allowed(methods)) };
    web::resource(path).default_service(web::to(refuse))
}

/// A JSON answer that no cache may store: it holds personal data or changes by itself.
fn json_no_store(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

/// An id from a path, as rows have it; `None` if no row can have it.
fn storable(id: Path<String>) -> Option<String> {
    crate::domain::text::external_id(id.into_inner())
}

const GET_HEAD: &str = "GET, HEAD";

/// Some probes use `HEAD`; actix omits the body of its answer.
fn get_or_head() -> Route {
    Route::new().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// The routes of the listener for metrics.
pub fn metrics_routes(config: &mut ServiceConfig) {
    config
        .route("/metrics", web::get().to(metrics::show))
        .default_service(web::to(fallback::route_not_found));
}
