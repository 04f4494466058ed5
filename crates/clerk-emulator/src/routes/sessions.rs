//! Sessions and their tokens over the Backend API.

use super::{Answer, answer, fields};
use crate::clock;
use crate::errors::Refusal;
use crate::sessions::Session;
use crate::sessions::tokens::Asked;
use crate::world::World;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use serde::Serialize;
use serde_json::Value;

/// The longest lifetime that a token can be asked for, in seconds: ten years.
const LONGEST_LIFETIME: i64 = 315_360_000;

/// The answer with a token in it.
#[derive(Serialize)]
struct Token {
    object: &'static str,
    jwt: String,
}

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/sessions", web::post().to(create))
        .route("/sessions/{id}", web::get().to(get))
        .route("/sessions/{id}/revoke", web::post().to(revoke))
        .route("/sessions/{id}/tokens", web::post().to(session_token))
        .route("/sessions/{id}/tokens/{template}", web::post().to(template_token));
}

async fn create(world: Data<World>, body: Bytes) -> Answer {
    let fields = fields(&body)?;
    let Some(id) = fields.get("user_id").and_then(Value::as_str) else {
        let message = "must be included.";
        return Err(Refusal::parameter("form_param_missing", message, "user_id"));
    };
    if world.lock().directory.get(id).is_none() {
        return Err(Refusal::no_user(id));
    }
    Ok(answer(&world.new_session(id)))
}

async fn get(id: Path<String>, world: Data<World>) -> Answer {
    Ok(answer(&find(&world, &id)?))
}

async fn revoke(id: Path<String>, world: Data<World>) -> Answer {
    let session = world.lock().sessions.revoke(&id, clock::now());
    session.map(|session| answer(&session)).ok_or_else(|| no_session(&id))
}

async fn session_token(id: Path<String>, world: Data<World>, body: Bytes) -> Answer {
    token(&world, &id, None, &body)
}

async fn template_token(path: Path<(String, String)>, world: Data<World>, body: Bytes) -> Answer {
    let (id, template) = path.into_inner();
    token(&world, &id, Some(template), &body)
}

fn token(world: &World, id: &str, template: Option<String>, body: &Bytes) -> Answer {
    let fields = fields(body)?;
    let session = find(world, id)?;
    if !session.is_active() {
        return Err(no_session(id));
    }
    let lifetime = fields.get("expires_in_seconds").filter(|value| !value.is_null());
    let lifetime = lifetime.map(|value| {
        let seconds = value.as_i64().filter(|seconds| (1..=LONGEST_LIFETIME).contains(seconds));
        seconds.ok_or_else(|| Refusal::invalid("expires_in_seconds", "must be a positive integer."))
    });
    let authorized_party = fields.get("azp").and_then(Value::as_str).map(str::to_owned);
    let asked = Asked { template, lifetime: lifetime.transpose()?, authorized_party };
    Ok(answer(&Token { object: "token", jwt: world.token(&session, &asked) }))
}

fn find(world: &World, id: &str) -> Result<Session, Refusal> {
    world.lock().sessions.get(id).cloned().ok_or_else(|| no_session(id))
}

fn no_session(id: &str) -> Refusal {
    Refusal::not_found(format!("No session was found with id {id}"))
}
