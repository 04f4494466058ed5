//! The route table of the Backend API, as far as it goes here.
//!
//! Behind `gate`, which has checked key and version already. Handlers are thin: they read the
//! request, ask `world`, and write the answer as the provider would.

mod own;
mod sessions;
mod users;

use super::errors::Refusal;
use super::world::World;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Value, json};

/// The largest body of a request.
const LARGEST_BODY: usize = 1024 * 1024;

/// What every handler gives.
type Answer = Result<HttpResponse, Refusal>;

/// Every route there is.
pub(super) fn routes(config: &mut ServiceConfig) {
    let api = web::scope("/v1")
        .configure(users::routes)
        .configure(sessions::routes)
        .configure(own::routes);
    config
        .app_data(PayloadConfig::new(LARGEST_BODY))
        .service(api.route("/jwks", web::get().to(jwks)).default_service(web::to(nothing)))
        .route("/.well-known/jwks.json", web::get().to(jwks))
        .default_service(web::to(nothing));
}

async fn jwks(world: Data<World>) -> Answer {
    Ok(answer(&world.key().key_set(&world.credentials().instance_id)))
}

async fn nothing(request: HttpRequest) -> Answer {
    let (method, path) = (request.method(), request.path());
    Err(Refusal::not_found(format!("There is no {method} {path} here")))
}

/// An answer that the official client reads: it compares the type letter for letter.
fn answer(value: &impl Serialize) -> HttpResponse {
    let body = serde_json::to_vec(value).unwrap_or_default();
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(body)
}

/// The object that a body holds; none is an empty one.
fn fields(body: &Bytes) -> Result<Value, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).ok().filter(Value::is_object).ok_or_else(|| {
        let message = "Request body invalid";
        let long = "The request body is invalid. Please consult the API documentation for more information.";
        Refusal::new(StatusCode::BAD_REQUEST, "request_body_invalid", message, long)
    })
}
