//! Routes that the real provider does not have, for shells and measurements.
//!
//! They need the secret key as all others do. No client of the provider's API uses them.

use super::{RouteResult, json_response, parse_body};
use crate::error::ApiError;
use crate::instance::Instance;
use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, Query, ServiceConfig};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct TokenQuery {
    user_id: Option<String>,
    email_address: Option<String>,
}

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/usersync/session_token", web::get().to(session_token))
        .route("/usersync/counts", web::get().to(counts))
        .route("/usersync/events", web::post().to(adopt));
}

/// A session token as plain text, so that a shell can use it without a JSON parser.
async fn session_token(instance: Data<Instance>, query: Query<TokenQuery>) -> RouteResult {
    let TokenQuery { user_id, email_address } = query.into_inner();
    let found = {
        let directory = &instance.lock().directory;
        let known = user_id.filter(|id| directory.position(id).is_some());
        let address = email_address.map(|address| ("email_address", address.to_lowercase()));
        known.or_else(|| directory.owner(&address?))
    };
    let id = found.ok_or_else(|| {
        ApiError::not_found("No user was found with this user_id or email_address")
    })?;
    Ok(HttpResponse::Ok().content_type("text/plain").body(instance.token_of(&id)))
}

async fn counts(instance: Data<Instance>) -> RouteResult {
    Ok(json_response(&instance.counts()))
}

/// Takes over the user of an event that another sender signed and posted.
async fn adopt(instance: Data<Instance>, body: Bytes) -> RouteResult {
    instance.adopt(&parse_body(&body)?)?;
    Ok(json_response(&json!({"object": "event"})))
}
