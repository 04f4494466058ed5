//! The route table of the Backend API, as far as it goes here.
//!
//! Behind `gate`, which has checked key and version already. Handlers are thin: they read the
//! request, ask `instance`, and write the answer as the provider would.

mod extensions;
mod sessions;
mod users;

use super::error::ApiError;
use super::instance::Instance;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Value, json};

/// The largest body of a request.
const LARGEST_BODY: usize = 1024 * 1024;

/// What every handler gives.
type RouteResult = Result<HttpResponse, ApiError>;

/// Every route there is.
pub(super) fn routes(config: &mut ServiceConfig) {
    let api = web::scope("/v1")
        .configure(users::routes)
        .configure(sessions::routes)
        .configure(extensions::routes);
    config
        .app_data(PayloadConfig::new(LARGEST_BODY))
        .service(api.route("/jwks", web::get().to(jwks)).default_service(web::to(no_such_route)))
        .route("/.well-known/jwks.json", web::get().to(jwks))
        .default_service(web::to(no_such_route));
}

async fn jwks(instance: Data<Instance>) -> RouteResult {
    Ok(json_response(&instance.key().key_set(&instance.credentials().instance_id)))
}

async fn no_such_route(request: HttpRequest) -> RouteResult {
    let (method, path) = (request.method(), request.path());
    Err(ApiError::not_found(format!("There is no {method} {path} here")))
}

/// An answer that the official client reads: it compares the type letter for letter.
fn json_response(value: &impl Serialize) -> HttpResponse {
    let body = serde_json::to_vec(value).unwrap_or_default();
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(body)
}

/// The object that a body holds; none is an empty one.
fn parse_body(body: &Bytes) -> Result<Value, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).ok().filter(Value::is_object).ok_or_else(|| {
        let message = "Request body invalid";
        let long = "The request body is invalid. Please consult the API documentation for more information.";
        ApiError::new(StatusCode::BAD_REQUEST, "request_body_invalid", message, long)
    })
}
