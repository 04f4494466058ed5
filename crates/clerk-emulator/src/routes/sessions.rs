//! The routes of sessions and their tokens.

use super::{RouteResult, json_response, parse_body};
use crate::error::ApiError;
use crate::instance::Instance;
use crate::now;
use crate::sessions::Session;
use crate::sessions::tokens::TokenOptions;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use serde_json::{Value, json};

/// Ten years, in seconds.
const LONGEST_LIFETIME: i64 = 315_360_000;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/sessions", web::post().to(create))
        .route("/sessions/{id}", web::get().to(get))
        .route("/sessions/{id}/revoke", web::post().to(revoke))
        .route("/sessions/{id}/tokens", web::post().to(session_token))
        .route("/sessions/{id}/tokens/{template}", web::post().to(template_token));
}

async fn create(instance: Data<Instance>, body: Bytes) -> RouteResult {
    let fields = parse_body(&body)?;
    let Some(id) = fields.get("user_id").and_then(Value::as_str) else {
        let message = "must be included.";
        return Err(ApiError::parameter("form_param_missing", message, "user_id"));
    };
    if instance.lock().directory.get(id).is_none() {
        return Err(ApiError::no_user(id));
    }
    Ok(json_response(&instance.new_session(id)))
}

async fn get(id: Path<String>, instance: Data<Instance>) -> RouteResult {
    Ok(json_response(&find(&instance, &id)?))
}

async fn revoke(id: Path<String>, instance: Data<Instance>) -> RouteResult {
    let session = instance.lock().sessions.revoke(&id, now());
    session.map(|session| json_response(&session)).ok_or_else(|| no_session(&id))
}

async fn session_token(id: Path<String>, instance: Data<Instance>, body: Bytes) -> RouteResult {
    token(&instance, &id, None, &body)
}

async fn template_token(
    path: Path<(String, String)>,
    instance: Data<Instance>,
    body: Bytes,
) -> RouteResult {
    let (id, template) = path.into_inner();
    token(&instance, &id, Some(template), &body)
}

fn token(instance: &Instance, id: &str, template: Option<String>, body: &Bytes) -> RouteResult {
    let fields = parse_body(body)?;
    let session = find(instance, id)?;
    if !session.is_active() {
        return Err(no_session(id));
    }
    let lifetime = fields.get("expires_in_seconds").filter(|value| !value.is_null());
    let lifetime = lifetime.map(|value| {
        let seconds = value.as_i64().filter(|seconds| (1..=LONGEST_LIFETIME).contains(seconds));
        seconds
            .ok_or_else(|| ApiError::invalid("expires_in_seconds", "must be a positive integer."))
    });
    let authorized_party = fields.get("azp").and_then(Value::as_str).map(str::to_owned);
    let asked = TokenOptions { template, lifetime: lifetime.transpose()?, authorized_party };
    Ok(json_response(&json!({"object": "token", "jwt": instance.token(&session, &asked)})))
}

fn find(instance: &Instance, id: &str) -> Result<Session, ApiError> {
    instance.lock().sessions.get(id).cloned().ok_or_else(|| no_session(id))
}

fn no_session(id: &str) -> ApiError {
    ApiError::not_found(format!("No session was found with id {id}"))
}
