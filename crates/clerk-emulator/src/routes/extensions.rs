//! What the real one has not: conveniences for whoever tries things from a command line.
//!
//! Behind the same key as everything else. No client of the provider knows these routes, and
//! no test of one should use them.

use super::{RouteResult, json_response, parse_body};
use crate::error::ApiError;
use crate::instance::Instance;
use crate::user::User;
use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, Query, ServiceConfig};
use serde::Deserialize;
use serde_json::json;

/// TokenQuery token is wanted.
#[derive(Deserialize)]
struct TokenQuery {
    user_id: Option<String>,
    email_address: Option<String>,
}

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/usersync/session_token", web::get().to(session_token))
        .route("/usersync/events", web::post().to(adopt));
}

/// A session token as plain text, so that a shell can use it as it comes.
async fn session_token(instance: Data<Instance>, whose: Query<TokenQuery>) -> RouteResult {
    let found = instance.lock().directory.all().find(|user| whose.is(user)).cloned();
    let user = found.ok_or_else(|| {
        ApiError::not_found("No user was found with this user_id or email_address")
    })?;
    Ok(HttpResponse::Ok().content_type("text/plain").body(instance.token_of(&user.id)))
}

/// Takes over what an event says that somebody else signed and posted.
async fn adopt(instance: Data<Instance>, body: Bytes) -> RouteResult {
    instance.adopt(&parse_body(&body)?)?;
    Ok(json_response(&json!({"object": "event"})))
}

impl TokenQuery {
    fn is(&self, user: &User) -> bool {
        let address = self.email_address.as_deref();
        let has = |wanted: &str| {
            user.email_addresses
                .iter()
                .any(|email| email.email_address.eq_ignore_ascii_case(wanted))
        };
        self.user_id.as_ref() == Some(&user.id) || address.is_some_and(has)
    }
}
