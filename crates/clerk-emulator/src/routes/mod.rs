//! The routes of the Backend API.
//!
//! Called behind `middleware`, which has checked key and version. Handlers read the request, call
//! `instance` and write the response as the provider does.

mod extensions;
mod sessions;
mod users;

use crate::error::ApiError;
use crate::instance::Instance;
use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Value, json};

const LARGEST_BODY_BYTES: usize = 1024 * 1024;

type RouteResult = Result<HttpResponse, ApiError>;

pub(crate) fn routes(config: &mut ServiceConfig) {
    let api = web::scope("/v1")
        .configure(users::routes)
        .configure(sessions::routes)
        .configure(extensions::routes)
        .route("/jwks", web::get().to(jwks))
        .default_service(web::to(no_such_route));
    config
        .app_data(PayloadConfig::new(LARGEST_BODY_BYTES))
        .service(api)
        .route("/.well-known/jwks.json", web::get().to(jwks))
        .default_service(web::to(no_such_route));
}

async fn jwks(instance: Data<Instance>) -> RouteResult {
    Ok(json_response(&instance.key.key_set(&instance.credentials.instance_id)))
}

async fn no_such_route(request: HttpRequest) -> RouteResult {
    let (method, path) = (request.method(), request.path());
    Err(ApiError::not_found(format!("There is no {method} {path} here")))
}

fn json_response(value: &impl Serialize) -> HttpResponse {
    json_body(serde_json::to_vec(value).unwrap_or_default())
}

/// The official client compares the content type letter for letter, so it has no charset.
pub(crate) fn json_body(body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(body)
}

/// The object in a request's body; an empty body is an empty object.
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
